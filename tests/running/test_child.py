"""A child between pipes: its words, its end, the signals that reach it."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from .conftest import SECRETS, Run

READY = "import signal, os, sys, time; "


def test_both_outputs_are_masked_and_the_rest_is_as_it_was(run: Run) -> None:
    done = run(
        code="import os, sys, base64\n"
        "key = os.environ['API_KEY'].encode()\n"
        "os.write(1, b'one ' + key + bytes(range(256)))\n"
        "os.write(2, b'two ' + base64.b64encode(b'user:' + key) + b'\\n')\n"
    )
    assert done.stdout == b"one ***API_KEY***" + bytes(range(256))
    assert b"***API_KEY***" in done.stderr
    assert base64.b64encode(SECRETS["API_KEY"].encode())[4:] not in done.stderr
    assert done.returncode == 0


def test_a_secret_that_is_written_letter_by_letter_is_masked(run: Run) -> None:
    done = run(code="import os\nfor c in os.environ['TOKEN'].encode(): os.write(1, bytes([c]))")
    assert done.stdout == b"***TOKEN***"


def test_outputs_that_lead_to_the_same_place_keep_their_order(run: Run) -> None:
    code = "import os\nfor n in range(200): os.write(1 + n % 2, b'%d ' % n)"
    done = run(code=code, stderr=subprocess.STDOUT)
    assert done.stdout.split() == [b"%d" % n for n in range(200)]


def test_standard_input_is_the_childs(run: Run) -> None:
    data = os.urandom(300_000)
    assert run("cat", input=data).stdout == data


LINGERING = """
import sys, threading
def linger(frame, event, _):
    if event == "return" and frame.f_code.co_qualname == "Pump.run":
        threading.Event().wait()
threading.setprofile(linger)
"""


def test_a_thread_that_has_said_it_is_done_is_not_waited_for(
    command: Any, environ: Mapping[str, str]
) -> None:
    words = command("sh", "-c", "echo said; exit 3")
    words[words.index("-c") + 1] = LINGERING + words[words.index("-c") + 1]
    done = subprocess.run(
        words, env=environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"said\n", b"", 3)


@pytest.mark.parametrize("status", [0, 1, 3, 255])
def test_the_exit_status_is_the_childs(run: Run, status: int) -> None:
    assert run("sh", "-c", f"exit {status}").returncode == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGSEGV])
def test_who_waits_sees_the_signal_that_the_child_died_of(run: Run, number: int) -> None:
    assert run("sh", "-c", f"kill -{int(number)} $$").returncode == -number


def test_what_cannot_be_run_has_the_status_of_a_shell(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "broken").chmod(0o755)
    done = run(str(tmp_path / "broken"))
    assert done.returncode == 126
    assert b"cannot be executed" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_child_has_the_signals_that_we_were_given(run: Run) -> None:
    status = run("cat", "/proc/self/status").stdout.decode()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & (1 << signal.SIGPIPE - 1) == 0


@pytest.mark.parametrize(
    ("closed", "out", "err"),
    [
        ("<&-", b"***TOKEN***\n", b"***TOKEN***\n"),
        (">&-", b"", b"***TOKEN***\n"),
        ("2>&-", b"***TOKEN***\n", b""),
        (">&- 2>&-", b"", b""),
        ("<&- >&- 2>&-", b"", b""),
        ("2>&1", b"***TOKEN***\n***TOKEN***\n", b""),
        ("<&- 2>&1", b"***TOKEN***\n***TOKEN***\n", b""),
        ("<&- >&2", b"", b"***TOKEN***\n***TOKEN***\n"),
    ],
)
def test_a_stream_that_was_closed_is_no_other_one(
    command: Any, environ: Mapping[str, str], closed: str, out: bytes, err: bytes
) -> None:
    words = command("sh", "-c", "echo $TOKEN; echo $TOKEN >&2; cat; exit 4")
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}', *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (out, err, 4)


def test_who_fails_before_it_is_the_program_has_not_succeeded(environ: Mapping[str, str]) -> None:
    code = (
        "import os\n"
        "from undercroft.running.child import forked\n"
        "pid = forked(lambda: os.dup2(999, 1))\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, timeout=20, check=True
    )
    assert done.stdout == b"126\n"
    assert (
        done.stderr
        == b"undercroft: the command cannot be started: [Errno 9] Bad file descriptor.\n"
    )


def test_what_nohup_ignores_stays_ignored(command: Any, environ: Any) -> None:
    words = command("sh", "-c", "kill -HUP $PPID; kill -HUP $$; echo alive")
    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$0" "$@"', *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=20,
        check=False,
    )
    assert (done.stdout, done.returncode) == (b"alive\n", 0)


COUNT = """
import os, select, signal
got = []
def note(number, _): os.write(1, b"got %d\\n" % number)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
    signal.signal(number, note)
os.write(1, b"ready\\n")
# What comes just before a read that blocks would be noticed only behind it.
while not select.select([0], [], [], 0.1)[0]:
    pass
os.write(1, b"last\\n")
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1]
)
def test_a_signal_to_us_reaches_the_child_once(start: Any, number: signal.Signals) -> None:
    process = start(code=COUNT, stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, number)
    assert process.stdout.readline() == b"got %d\n" % number
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.stdout.read() == b"last\n"
    assert process.wait() == 0


def test_a_reader_that_leaves_ends_the_child(start: Any) -> None:
    process = start("yes")
    assert process.stdout.read(2) == b"y\n"
    process.stdout.close()
    assert process.wait(timeout=20) == -signal.SIGPIPE


def test_a_child_that_closes_its_output_is_waited_for(start: Any) -> None:
    process = start(
        code="import os, sys\nos.close(1)\nos.close(2)\nsys.stdin.readline()\nos._exit(7)",
        stdin=subprocess.PIPE,
    )
    assert process.stdout.read() == b""
    assert process.poll() is None
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.wait(timeout=20) == 7


def test_what_a_child_leaves_behind_is_not_waited_for(start: Any) -> None:
    code = """
import os, subprocess
left = subprocess.Popen(["sleep", "1000"])
left.returncode = 0
os.write(1, b"%d " % left.pid + b"x" * 60_000)
"""
    process = start(code=code)
    said = process.stdout.read()
    assert process.wait() == 0
    pid, _, rest = said.partition(b" ")
    assert len(rest) == 60_000
    left = psutil.Process(int(pid))
    assert left.is_running()
    left.kill()


def test_a_slow_reader_slows_the_child_and_fills_no_memory(start: Any) -> None:
    process = start(
        code="import os, sys\n"
        "for n in range(400): os.write(1, bytes(100_000)) and os.write(2, b'.')",
        stderr=subprocess.PIPE,
    )
    first = process.stdout.read(1)
    # Nobody reads on; the child has to wait, and says no more.
    dots = os.read(process.stderr.fileno(), 1000)
    used = psutil.Process(process.pid).memory_info().rss
    rest = process.stdout.read()
    assert len(first + rest) == 40_000_000
    assert len(dots) < 100
    assert used < 80_000_000
    assert process.wait() == 0


def test_the_child_ends_when_we_are_killed(start: Any) -> None:
    process = start(
        code="import os, sys, time\nos.write(1, b'%d\\n' % os.getpid())\ntime.sleep(99)"
    )
    child = psutil.Process(int(process.stdout.readline()))
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(timeout=20)
    assert not child.is_running()


def test_no_word_of_a_command_line_holds_a_value(run: Run) -> None:
    code = """
import os
for pid in (os.getpid(), os.getppid()):
    os.write(1, open(f"/proc/{pid}/cmdline", "rb").read())
os.write(1, b"|" + os.environ["TOKEN"][:5].encode())
"""
    words, _, proof = run(code=code).stdout.rpartition(b"|")
    assert proof == b"tok_0"
    assert b"tok_0" not in words
