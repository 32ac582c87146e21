"""Children that say secrets, are sent signals and are killed: nothing is shown, lost or left."""

from __future__ import annotations

import asyncio
import os
import pty
import random
import select
import signal
import subprocess
import sys
import tempfile
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.talkers import TALK, Plan, found_in, lost_in, made_plan

PATIENCE = 30.0
"""Seconds for one child."""
AT_ONCE = 2
STATUSES = (0, 1, 7, 255, -signal.SIGTERM, -signal.SIGKILL, -signal.SIGSEGV, -signal.SIGINT)

COUNT = """
import os, signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, _: os.write(1, b"got %d\\n" % number))
os.write(1, b"ready %d\\n" % os.getpid())
os.read(0, 1)
"""
"""The child's program: it tells each signal, and ends with its input."""


@dataclass(kw_only=True)
class Seen:
    """What went wrong, and how much was done."""

    shown: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    said: int = 0
    sent: int = 0
    killed: int = 0


class Ground:
    """A folder, and a way to start children."""

    def __init__(self, folder: Path, fault: str, dice: random.Random) -> None:
        self._folder, self._fault, self._count = folder, fault, 0
        self.dice = dice
        self.seen = Seen()

    def words(self, plan: Plan, program: str) -> list[str]:
        """The command that runs a program with a plan."""
        self._count += 1
        secrets, told = (self._folder / f"{self._count}.{kind}" for kind in ("secrets", "plan"))
        secrets.write_text(_json(plan.secrets), "utf-8")
        told.write_text(plan.as_json(), "utf-8")
        ours = [sys.executable, "-m", "tortures.masked_child", self._fault, str(secrets)]
        return [*ours, sys.executable, "-S", "-E", "-c", program, str(told)]

    @contextmanager
    def started(self, words: list[str], terminal: int | None = None) -> Iterator[Popen]:
        """A running command between pipes or at a terminal, gone afterwards with all it started."""
        end = terminal or subprocess.PIPE
        with subprocess.Popen(  # noqa: S603 - our own program
            words, start_new_session=True, stdin=end, stdout=end, stderr=end
        ) as process:
            everything = _family(process.pid)
            try:
                yield process
            finally:
                everything = everything or _family(process.pid)
                for one in everything:
                    if one.is_running():
                        one.kill()


Popen = subprocess.Popen[bytes]


def _family(pid: int) -> list[psutil.Process]:
    try:
        whole = psutil.Process(pid)
        return [whole, *whole.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _json(value: object) -> str:
    import json  # noqa: PLC0415 - for this alone

    return json.dumps(value)


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """No secret shown, no status wrong, no signal lost or doubled, no process left."""
    dice = random.Random(effort.minutes or 11)  # noqa: S311 - a reproducible run
    with tempfile.TemporaryDirectory() as folder:
        ground = Ground(Path(folder), effort.fault, dice)
        rounds = effort.count(40, quick=2)
        await _all(rounds * 2, lambda: _between_pipes(ground, effort.count(200, quick=80)))
        await _all(rounds, lambda: _at_a_terminal(ground, effort.count(100, quick=40)))
        await _all(rounds, lambda: _under_signals(ground, effort.count(40, quick=8)))
        await _all(rounds, lambda: _killed(ground, at_terminal=False))
        await _all(rounds, lambda: _killed(ground, at_terminal=True))
    for invariant in _judged(ground.seen, effort):
        yield invariant


async def _all(count: int, work: Callable[[], None]) -> None:
    """Do it so often, two at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with gate:
            await asyncio.to_thread(work)

    await asyncio.gather(*(one() for _ in range(count)))


def _judged(seen: Seen, effort: Effort) -> Iterator[Invariant]:
    yield none_of("secrets shown", seen.shown, "plain, base64, percent, hex; in any pieces")
    yield none_of("words lost", seen.lost, "what is no secret arrives")
    yield none_of("wrong exit statuses", seen.statuses, "of the child, or its signal")
    yield none_of("signals lost or doubled", seen.signals, "each reaches the child once")
    yield none_of("orphans", seen.orphans, "children of those who were killed with -9")
    yield none_of("terminals left raw", seen.raw, "after kill -9 as well")
    yield at_least("secrets said", seen.said, effort.count(5_000, quick=200), "")
    yield at_least("signals sent", seen.sent, effort.count(1_000, quick=12), "")
    yield at_least("killed with -9", seen.killed, effort.count(60, quick=4), "")


def _between_pipes(ground: Ground, times: int) -> None:
    plan = made_plan(ground.dice, times, ground.dice.choice(STATUSES), (1, 2))
    with ground.started(ground.words(plan, TALK)) as process:
        outputs = process.communicate(timeout=PATIENCE)
    _judge_talk(ground.seen, plan, outputs, process.returncode)


def _at_a_terminal(ground: Ground, times: int) -> None:
    plan = made_plan(ground.dice, times, ground.dice.choice(STATUSES), (1, 2))
    with _terminal() as (ours, theirs):
        with ground.started(ground.words(plan, TALK), theirs) as process:
            said = _read_until_end(ours, process)
        _judge_talk(ground.seen, plan, (said,), process.returncode)


def _judge_talk(seen: Seen, plan: Plan, outputs: tuple[bytes, ...], status: int) -> None:
    seen.said += plan.said
    for output in outputs:
        seen.shown += found_in(output, plan.secrets)
    seen.lost += [f"<{n}>" for n in lost_in(b"".join(outputs), plan)]
    if status != plan.status:
        seen.statuses.append(f"{status} instead of {plan.status}")


def _under_signals(ground: Ground, times: int) -> None:
    plan = made_plan(ground.dice, 0, 0, (1,))
    with ground.started(ground.words(plan, COUNT)) as process:
        out = process.stdout
        if out is None or process.stdin is None:
            raise RuntimeError("a child without pipes")
        out.readline()
        for _ in range(times):
            number = ground.dice.choice(
                (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
            )
            process.send_signal(number)
            ground.seen.sent += 1
            if (line := out.readline()) != b"got %d\n" % number:
                ground.seen.signals.append(f"{number.name}: {line!r}")
        rest, _ = process.communicate(b"\n", timeout=PATIENCE)
        if rest:
            ground.seen.signals.append(f"again: {rest!r}")
    if process.returncode != 0:
        ground.seen.statuses.append(f"{process.returncode} after signals")


def _killed(ground: Ground, *, at_terminal: bool) -> None:
    plan = made_plan(ground.dice, 0, 0, (1,))
    code = "import os, time\nos.write(1, b'ready %d\\n' % os.getpid())\ntime.sleep(99)"
    with _terminal() as (ours, theirs):
        modes = termios.tcgetattr(theirs)
        with ground.started(ground.words(plan, code), theirs if at_terminal else None) as process:
            source = ours if at_terminal or process.stdout is None else process.stdout.fileno()
            said = b""
            while b"\n" not in said:
                said += os.read(source, 100)
            family = _family(process.pid)
            process.kill()
            ground.seen.killed += 1
            _, alive = psutil.wait_procs(family[1:], timeout=10)
            ground.seen.orphans += [one.pid for one in alive]
            for one in alive:
                one.kill()
        if termios.tcgetattr(theirs) != modes:
            ground.seen.raw.append(str(process.pid))


@contextmanager
def _terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def _read_until_end(ours: int, process: Popen) -> bytes:
    """All that is shown; we hold the other end too, so that the terminal itself never ends."""
    said = b""
    while True:
        ended = process.poll() is not None
        if select.select([ours], [], [], 0 if ended else 0.05)[0]:
            said += os.read(ours, 65536)
        elif ended:
            return said
