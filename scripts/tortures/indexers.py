"""Processes born in the nursery, mostly servers that index: started, listened to, killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tortures.one_record import ask
from tortures.scratch import Scratch

LINE = 2**20
EXCUSED = ("unavailable", "outcome_unknown")
"""What a server may answer whose PostgreSQL was killed."""


@dataclass(kw_only=True, eq=False)
class Indexing:
    """One process that indexes."""

    pid: int
    said: list[dict[str, Any]] = field(default_factory=list)
    ended: asyncio.Future[int]
    """Its exit status, negative: the signal."""
    memory: int = 0
    """Bytes at the most, once it has ended."""

    def signal(self, number: int) -> None:
        """Send it a signal, if it still lives."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """Kill it with -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        await self.ended

    def workers(self) -> list[psutil.Process]:
        """The processes that it has started."""
        try:
            return psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []


@dataclass(kw_only=True)
class Nursery:
    """The program that forks them."""

    process: asyncio.subprocess.Process
    alive: dict[int, Indexing] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)
    """What a server said that it never should."""
    runs: int = 0
    _births: deque[asyncio.Future[Indexing]] = field(default_factory=deque)
    """Those that were ordered, first come, first born: of a queue, whoever asks in the moment
    between a birth and its parent's turn would get another's child."""

    async def start(
        self, project: str, root: Path, *, once: bool = False, **sizes: int
    ) -> Indexing:
        """A new process that indexes."""
        return await self.order(project=project, root=os.fspath(root), once=once, sizes=sizes)

    async def order(self, **order: Any) -> Indexing:
        """A new process that follows the order."""
        birth: asyncio.Future[Indexing] = asyncio.get_running_loop().create_future()
        self._births.append(birth)
        assert self.process.stdin is not None  # noqa: S101 - spawned with pipes
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return await birth

    async def listen(self) -> None:
        """Hear what they say until the program ends."""
        assert self.process.stdout is not None  # noqa: S101 - spawned with pipes
        while line := await self.process.stdout.readline():
            self._note(json.loads(line))

    def _note(self, said: dict[str, Any]) -> None:
        pid = said.pop("pid")
        one = self.alive.get(pid)
        if one is None:
            loop = asyncio.get_running_loop()
            one = self.alive[pid] = Indexing(pid=pid, ended=loop.create_future())
        if "began" in said:
            birth = self._births.popleft()
            if not birth.done():
                birth.set_result(one)
        elif "end" in said:
            one.memory = said["memory"]
            one.ended.set_result(said["end"])
            del self.alive[pid]
        else:
            one.said.append(said)
            self.runs += "run" in said
            if "defect" in said or said.get("error", EXCUSED[0]) not in EXCUSED:
                self.mistakes.append(str(said))

    async def kill_all(self) -> None:
        """Kill every process with -9."""
        await asyncio.gather(*(one.kill() for one in list(self.alive.values())))


async def make_projects(scratch: Scratch, *names: str) -> None:
    """Projects that the servers find."""
    async with scratch.app() as app:
        for name in names:
            made = await ask(app, "create_project", name=name)
            if "code" in made:
                raise RuntimeError(made["message"])


@asynccontextmanager
async def nursery(scratch: Scratch, life: str = "tortures.newborn") -> AsyncIterator[Nursery]:
    """A nursery for the length of the block; nothing that was born there survives it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tortures.nursery", str(scratch.home), scratch.fault, life),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE,
    )
    scratch.started.append(process.pid)
    made = Nursery(process=process)
    ear = asyncio.create_task(made.listen())
    try:
        yield made
    finally:
        for pid in made.alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        ear.cancel()
