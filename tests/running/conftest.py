"""Real children of a real process, which a test starts, asks and kills."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

SECRETS = {"API_KEY": "sk-p/9+Zq?x&y=\"7'é", "TOKEN": "tok_0123456789abcdef"}

MAIN = """
import json, os, pathlib, sys
from undercroft.running.child import end_as, run_child
from undercroft.running.environment import environment
secrets = json.loads(pathlib.Path(sys.argv[1]).read_text())
sys.exit(end_as(run_child(sys.argv[2:], environment(os.environ, {}, secrets), secrets)))
"""

DEFAULTS = (
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGPIPE,
)
PATIENCE = 20.0


def with_defaults() -> None:
    """Whatever the tests' own parent ignores, as a job in the background does."""
    for number in DEFAULTS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def secrets() -> dict[str, str]:
    return dict(SECRETS)


@pytest.fixture
def command(tmp_path: Path, secrets: Mapping[str, str]) -> Callable[..., list[str]]:
    """The words that run Python code, or a program, as a child with the secrets."""
    file = tmp_path / "secrets.json"
    file.write_text(json.dumps(secrets))

    def command(*words: str, code: str = "") -> list[str]:
        child = (sys.executable, "-W", "error", "-c", code) if code else words
        return [sys.executable, "-W", "error", "-c", MAIN, str(file), *child]

    return command


@pytest.fixture
def environ() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}


Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def run(command: Any, environ: Mapping[str, str], tmp_path: Path) -> Run:
    """Run a child between pipes, to its end."""

    def run(*words: str, code: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        given = {"stdin": subprocess.DEVNULL} if "input" not in options else {}
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            command(*words, code=code),
            env=environ,
            cwd=tmp_path,
            timeout=PATIENCE,
            preexec_fn=with_defaults,
            check=False,
            **pipes | given | options,
        )
        return done

    return run


@pytest.fixture
def start(command: Any, environ: Mapping[str, str]) -> Iterator[Any]:
    """Start a child between pipes, in a process group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, code: str = "", **options: Any) -> subprocess.Popen[bytes]:
        ends: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command(*words, code=code),
            env=environ,
            preexec_fn=with_defaults,  # noqa: PLW1509 - no thread runs here
            start_new_session=True,
            **ends | options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for end in (process.stdin, process.stdout, process.stderr):
            if end:
                end.close()


class Person:
    """Somebody at a terminal."""

    def __init__(self, words: list[str], environ: Mapping[str, str], job: bool) -> None:
        self.terminal, theirs = pty.openpty()
        self.theirs = theirs

        def begin() -> None:
            with_defaults()
            if job:
                os.setpgid(0, 0)

        self.process = subprocess.Popen(
            ["/bin/bash", "--norc", "--noprofile", "-i"] if job else words,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**environ, "PS1": "SHELL-READY ", "TERM": "dumb"},
            preexec_fn=_take_terminal,  # noqa: PLW1509 - no thread runs here
        )
        self.said = b""

    def types(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def sees(self, text: bytes, patience: float = PATIENCE) -> bytes:
        """Wait until the text is on the screen; all up to there, which is then behind us."""
        deadline = time.monotonic() + patience
        while text not in self.said:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} never came: {self.said!r}"
            if select.select([self.terminal], [], [], left)[0]:
                self.said += os.read(self.terminal, 65536)
        seen, _, self.said = self.said.partition(text)
        return seen + text

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self.theirs)


def _take_terminal() -> None:
    import fcntl
    import termios

    with_defaults()
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def person(command: Any, environ: Mapping[str, str]) -> Iterator[Any]:
    """Run a child at a terminal, or a shell with job control (`job`) to run it in."""
    people: list[Person] = []

    def person(*words: str, code: str = "", job: bool = False) -> Person:
        people.append(Person(command(*words, code=code), environ, job))
        return people[-1]

    yield person
    for one in people:
        one.close()
