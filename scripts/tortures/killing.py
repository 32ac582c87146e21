"""Servers that index are killed in the middle of it, and after each kill the index is looked at."""

from __future__ import annotations

import asyncio
import random
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tortures.indexers import Indexing, Nursery
from tortures.scratch import Scratch
from tortures.soundness import INDEX, faults
from tortures.woods import Woods
from undercroft.codebase.indexing.reports import status_from

SERVERS = 2
BATCH = 12
"""Files of a batch: a run has many."""

PATIENCE = 60.0
"""Seconds for a server to begin a run."""

SOON = 20.0
"""Seconds for a server to be in the middle of a run."""

SLACK = 3.0
"""A search walks before it takes the lease, so its run may begin that much after its walk."""

KINDS = ("server", "server", "all", "server", "workers", "server", "postgres", "server", "all")
"""What is killed, in turn."""


@dataclass(kw_only=True)
class Killer:
    """Kills, and looks."""

    place: Scratch
    nursery: Nursery
    woods: Woods
    project: str
    dice: random.Random
    kills: int = 0
    processes: int = 0
    middle: int = 0
    """Kills that cut off a run."""
    outages: int = 0
    together: int = 0
    """Kills while another server waited for its turn."""
    unsound: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def database(self) -> str:
        """The project's."""
        return f"project_{self.project}"

    async def fill(self) -> None:
        """As many servers as there shall be, all at one repository."""
        while len(self.nursery.alive) < SERVERS:
            few = self.dice.choice((0, 64))
            await self.nursery.start(
                self.project, self.woods.root, few_files=few, batch_files=BATCH
            )

    async def strike(self) -> None:
        """One kill."""
        await self.fill()
        before = await self._at_work()
        await asyncio.sleep(self.dice.uniform(0.0, 0.3))
        kind = KINDS[self.kills % len(KINDS)]
        async with self.woods.still:
            before = await self.row() or before
            holder = self.nursery.alive.get(pid_of(before))
            self.together += len(self.nursery.alive) > 1
            self.kills += 1
            self.processes += await self._kill(kind, holder)
            await self._look(kind, holder, before)

    async def _kill(self, kind: str, holder: Indexing | None) -> int:
        victim = holder or self.dice.choice(list(self.nursery.alive.values()))
        if kind == "postgres":
            self.outages += 1
            return await self.place.kill_postgres()
        if kind == "all":
            dead = len(self.nursery.alive)
            await self.nursery.kill_all()
            return dead
        if kind == "workers" and (workers := victim.workers()):
            for worker in workers:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
            return len(workers)
        await victim.kill()
        return 1

    async def _look(self, kind: str, holder: Indexing | None, before: Any) -> None:
        async with self.place.asked(self.database) as connection:
            found = await faults(connection)
            row = await connection.fetchrow(INDEX.list_repositories.text)
            cut = before["indexing_status"] == row["indexing_status"] == "in_progress"
            # Of two that wait, one may have taken the place of the dead already.
            self.middle += cut and holder is not None
            self.unsound += [f"{self.kills} ({kind}): {fault}" for fault in found]
            self.untrue += [f"{self.kills} ({kind}): {lie}" for lie in await self._lies(connection)]

    async def _lies(self, connection: Any) -> list[str]:
        """What the status says and is not so; the files are at rest."""
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            row = await connection.fetchrow(INDEX.list_repositories.text)
            texts = await connection.fetch(INDEX.list_texts.text, row["id"])
        alive = pid_of(row) in self.nursery.alive
        status = status_from(row)
        if status.status == "completed":
            return list(missing(self.woods, texts, row["began"]))
        if status.status == "in_progress" and row["leased"] and status.interrupted == alive:
            return [f"interrupted: {status.interrupted}, at work: {alive}"]
        if status.status == "failed" and not status.error:
            return ["failed without a reason"]
        return []

    async def _at_work(self) -> Any:
        """The repository once a server is at work on it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                row = await self.row()
                if (
                    row
                    and row["indexing_status"] == "in_progress"
                    and pid_of(row) in self.nursery.alive
                ):
                    return row
                await asyncio.sleep(0.03)

    async def row(self) -> Any:
        """The repository's row, if there is one yet."""
        async with self.place.asked(self.database) as connection:
            return await connection.fetchrow(INDEX.list_repositories.text)


def pid_of(row: Any) -> int:
    """Whoever holds the lease; 0: nobody."""
    words = row["holder"].split()
    return int(words[-2]) if words else 0


def missing(woods: Woods, texts: list[Any], began: float) -> list[str]:
    """Where an index that is said to be complete is not as the files were when its run began."""
    held = {row["path"]: row["content"] for row in texts}
    lies = [
        f"complete without {path}"
        for path, entry in woods.ledger.items()
        if entry.since < began - SLACK and entry.edit not in held.get(path, "")
    ]
    return lies + [
        f"complete with {path}, which is gone"
        for path in held
        if woods.gone.get(path, began) < began - SLACK
    ]


async def overtake(killer: Killer) -> str:
    """A server stands still in the middle, another one takes over and finishes, the first wakes.

    What it did, or "" where the first was done too early.
    """
    await killer.nursery.kill_all()
    killer.woods.switch(1.0)
    sleeper = await killer.nursery.start(
        killer.project, killer.woods.root, few_files=0, batch_files=BATCH
    )
    if not await _asleep(killer, sleeper):
        await sleeper.kill()
        return ""
    killer.woods.switch(1.0)
    async with killer.place.asked(killer.database) as connection:
        await connection.execute(INDEX.expire_leases.text)
    heir = await killer.nursery.start(
        killer.project, killer.woods.root, once=True, batch_files=BATCH
    )
    async with asyncio.timeout(PATIENCE):
        await heir.ended
    sleeper.signal(signal.SIGCONT)
    await _heard(sleeper)
    await sleeper.kill()
    return "overtaken"


async def _heard(one: Indexing) -> None:
    """Wait for what it says next."""
    said = len(one.said)
    async with asyncio.timeout(PATIENCE):
        while len(one.said) == said:  # noqa: ASYNC110 - a line comes from another process
            await asyncio.sleep(0.02)


async def _asleep(killer: Killer, sleeper: Indexing) -> bool:
    """Stop it in the middle of a run, but in no transaction, where it would hold up all others."""
    end = asyncio.get_running_loop().time() + SOON
    while asyncio.get_running_loop().time() < end:
        row = await killer.row()
        if row and pid_of(row) == sleeper.pid and 0 < row["run_done"] < row["run_total"]:
            sleeper.signal(signal.SIGSTOP)
            if await _at_rest(killer):
                return True
            sleeper.signal(signal.SIGCONT)
        elif any("run" in said for said in sleeper.said):
            return False
        await asyncio.sleep(0.005)
    return False


async def _at_rest(killer: Killer) -> bool:
    async with killer.place.asked(killer.database) as connection:
        for _ in range(5):
            if await connection.fetchval(INDEX.count_transactions.text):
                return False
            await asyncio.sleep(0.01)
    return True


def place_of(scratch: Scratch) -> Path:
    """Where a run's repositories lie: beside the home."""
    return scratch.home.parent / "trees"
