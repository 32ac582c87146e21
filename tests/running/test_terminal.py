"""A child at a terminal: colours, sizes, keys, jobs."""

from __future__ import annotations

import fcntl
import shlex
import signal
import struct
import termios
from typing import Any

import psutil


def modes_of(terminal: int) -> list[Any]:
    return termios.tcgetattr(terminal)[:4]


def test_the_child_sees_a_terminal_and_its_words_are_masked(person: Any) -> None:
    one = person(
        code="import os, sys\n"
        "print(all(os.isatty(n) for n in range(3)), os.environ['TOKEN'])\n"
        "print(os.environ['TOKEN'], file=sys.stderr)\n"
        "print('name?', end=' ', flush=True)\n"
        "print('hello', input())"
    )
    one.sees(b"True ***TOKEN***\r\n***TOKEN***\r\n")
    one.sees(b"name? ")
    one.types(b"tom\n")
    # What is typed is shown although it begins a secret.
    one.sees(b"tom\r\nhello tom\r\n")
    assert one.process.wait(timeout=20) == 0


def test_what_is_typed_appears_though_it_begins_a_secret(person: Any) -> None:
    one = person(code="print('go'); input()")
    one.sees(b"go\r\n")
    one.types(b"to")
    one.sees(b"to")
    one.types(b"k_0123456789abcdef\n")
    one.sees(b"***TOKEN***")
    assert one.process.wait(timeout=20) == 0


def test_the_terminal_is_as_before_at_the_end(person: Any) -> None:
    one = person(code="import termios; input('ready'); print('bye')")
    before = modes_of(one.theirs)
    one.sees(b"ready")
    assert modes_of(one.theirs) != before
    one.types(b"\n")
    one.sees(b"bye")
    assert one.process.wait(timeout=20) == 0
    assert modes_of(one.theirs) == before


def test_ctrl_c_reaches_the_child_once_and_its_death_is_ours(person: Any) -> None:
    one = person(
        # A signal just before a read that blocks would be noticed at its end only.
        code="import signal, os, select\n"
        "signal.signal(signal.SIGINT, lambda *_: os.write(1, b'once\\n'))\n"
        "print('ready', flush=True)\n"
        "while not select.select([0], [], [], 0.1)[0]: pass\n"
        "input()\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "print('again', flush=True)\n"
        "input()"
    )
    one.sees(b"ready")
    one.types(b"\x03")
    one.sees(b"once")
    one.types(b"\n")
    seen = one.sees(b"again")
    assert b"once" not in seen
    one.types(b"\x03")
    assert one.process.wait(timeout=20) == -signal.SIGINT


def test_the_child_follows_the_size_of_the_terminal(person: Any) -> None:
    one = person(
        # What comes just before a read that blocks would be noticed only behind it.
        code="import os, select, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print(os.get_terminal_size(), flush=True))\n"
        "print('ready', flush=True)\n"
        "while not select.select([0], [], [], 0.1)[0]: pass"
    )
    one.sees(b"ready")
    fcntl.ioctl(one.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    one.sees(b"columns=77, lines=33")


def test_who_is_killed_leaves_a_terminal_that_works_and_no_child(person: Any) -> None:
    one = person(code="import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(99)")
    before = modes_of(one.theirs)
    one.sees(b"pid ")
    child = psutil.Process(int(one.sees(b"\r\n")))
    assert modes_of(one.theirs) != before
    started = psutil.Process(one.process.pid).children(recursive=True)
    one.process.kill()
    one.process.wait()
    gone, alive = psutil.wait_procs(started, timeout=20)
    assert alive == []
    assert child in gone
    assert modes_of(one.theirs) == before


def test_a_signal_to_us_reaches_the_child(person: Any) -> None:
    one = person(code="print('ready', flush=True)\ninput()")
    one.sees(b"ready")
    one.process.terminate()
    assert one.process.wait(timeout=20) == -signal.SIGTERM


def test_a_shell_stops_and_continues_the_job(person: Any, command: Any) -> None:
    words = command(code="print('ready', flush=True)\nprint('got', input())")
    shell = person(job=True)
    shell.sees(b"SHELL-READY ")
    shell.types(shlex.join(words).encode() + b"\n")
    shell.sees(b"ready\r\n")
    shell.types(b"\x1a")
    shell.sees(b"Stopped")
    shell.sees(b"SHELL-READY ")
    shell.types(b"echo sh''ell\n")
    shell.sees(b"shell\r\n")
    shell.types(b"fg\n")
    shell.sees(b"run_child")
    shell.types(b"a line\n")
    shell.sees(b"got a line")
    shell.sees(b"SHELL-READY ")
    shell.types(b"exit\n")
    assert shell.process.wait(timeout=20) == 0


def test_errors_that_lead_elsewhere_do_not_come_to_the_screen(
    person: Any, command: Any, tmp_path: Any
) -> None:
    words = command(
        code="import os\nos.write(2, os.environ['TOKEN'].encode())\nprint(os.isatty(2))"
    )
    shell = person(job=True)
    shell.sees(b"SHELL-READY ")
    file = tmp_path / "errors"
    shell.types(f"{shlex.join(words)} 2>{file}\n".encode())
    shell.sees(b"False\r\n")
    shell.sees(b"SHELL-READY ")
    assert file.read_bytes() == b"***TOKEN***"
