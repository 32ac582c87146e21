"""Holders of ports, sessions of PostgreSQL and PostgreSQL itself are stopped and killed."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tortures.indexers import Indexing, Nursery
from tortures.scratch import Scratch
from undercroft.db.queries import load_queries
from undercroft.db.sqlstate import DRIVER_ERRORS

CHECKS = load_queries("tortures", "ports.sql")
END = load_queries("tortures", "ports_end.sql")
REGISTRY = "mcp_registry"

ROUND = (*["stop"] * 8, *["kill"] * 7, *["session"] * 3, "killed session", "postgres")
"""What happens, in any order, before it all happens again."""

FEW = 20
"""Faults of one kind that one look tells."""


@dataclass(kw_only=True)
class Stops:
    """The processes, and what is done to them."""

    place: Scratch
    nursery: Nursery
    folder: Path
    """Holds the diaries, the worktrees of each process, and the one that they share."""
    dice: random.Random
    crowd: dict[int, Indexing] = field(default_factory=dict)
    every: list[Indexing] = field(default_factory=list)
    deaths: dict[int, float] = field(default_factory=dict)
    happened: Counter[str] = field(default_factory=Counter)
    unsound: list[str] = field(default_factory=list)
    looks: int = 0
    _waking: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def done(self) -> int:
        """Allocations and releases that were answered, as far as the processes have told."""
        return sum(
            max((s["done"] for s in one.said if "done" in s), default=0) for one in self.every
        )

    async def start(self, number: int) -> None:
        """A process; its worktree stays until it is dead."""
        self.crowd[number] = await self.nursery.order(
            number=number + 1_000 * len(self.every),
            diary=str(self.folder / "diaries"),
            tree=str(self.folder / "trees"),
            stable=str(self.folder / "stable"),
        )
        self.every.append(self.crowd[number])

    async def run(self, target: int, seconds: float) -> None:
        """Stop and kill until enough is done, or too much time has gone."""
        end = time.monotonic() + seconds
        async with self._looking():
            while self.done < target or not all(self.happened[what] for what in ROUND):
                for what in self.dice.sample(ROUND, len(ROUND)):
                    await asyncio.sleep(self.dice.uniform(0.05, 0.4))
                    self.happened[what] += await self._do(what)
                if time.monotonic() > end:
                    break
        await asyncio.gather(*self._waking)

    async def _do(self, what: str) -> bool:
        """Whether there was something to do it to."""
        if what == "stop":
            self._stop(self.crowd[self._any()].pid, self.dice.uniform(0.05, 1.0))
        elif what == "kill":
            await self._kill(self._any())
        elif what == "postgres":
            return bool(await self.place.kill_postgres())
        else:
            return await self._strike_session(kill=what == "killed session")
        return True

    async def _strike_session(self, *, kill: bool) -> bool:
        """Stop or kill a session of the product that is at work, if there is one."""
        async with self.place.asked() as admin:
            rows = await admin.fetch(END.list_sessions.text)
        at_work = [row["pid"] for row in rows if row["state"] == "active"]
        if at_work and kill:
            with suppress(ProcessLookupError):
                os.kill(self.dice.choice(at_work), signal.SIGKILL)
        elif at_work:
            self._stop(self.dice.choice(at_work), self.dice.uniform(0.05, 0.5))
        return bool(at_work)

    def _any(self) -> int:
        return self.dice.choice([*self.crowd])

    async def _kill(self, number: int) -> None:
        one = self.crowd[number]
        self.deaths[one.pid] = time.time()
        await one.kill()
        # A worktree goes with whoever worked in it; what it had is for anybody to reclaim.
        shutil.rmtree(self.folder / "trees" / str(one.pid), ignore_errors=True)
        await self.start(number)

    def _stop(self, pid: int, seconds: float) -> None:
        async def stop() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(seconds)
                os.kill(pid, signal.SIGCONT)

        task = asyncio.create_task(stop())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[None]:
        """Look at the tables again and again for the length of the block."""

        async def on() -> None:
            while True:
                await self.look()
                await asyncio.sleep(0.7)

        task = asyncio.create_task(on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def look(self) -> None:
        """What does not hold although it should at any moment."""
        with suppress(*DRIVER_ERRORS):
            async with self.place.asked(REGISTRY) as admin:
                for query in CHECKS:
                    rows = await admin.fetch(query.text)
                    name = query.name.replace("_", " ")
                    found = [row["fault"] for row in rows if _lives(row.get("worktree"))]
                    self.unsound += [f"{name}: {fault}" for fault in found[:FEW]]
                self.looks += 1

    async def kill_all(self) -> None:
        """The end of every process, and of what its sessions still do."""
        for one in self.crowd.values():
            self.deaths[one.pid] = time.time()
        await self.nursery.kill_all()
        async with self.place.asked() as admin:
            while await admin.fetch(END.list_sessions.text):  # noqa: ASYNC110 - PostgreSQL calls nobody
                await asyncio.sleep(0.02)


def _lives(worktree: str | None) -> bool:
    return worktree is None or Path(worktree).is_dir()
