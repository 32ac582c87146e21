"""Processes claim work and finish it, are killed, and stopped for longer than their leases."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tortures import work_judge
from tortures.frame import Effort
from tortures.indexers import Indexing, Nursery, make_projects, nursery
from tortures.invariants import Invariant, at_least, none_of
from tortures.scratch import Scratch, scratch
from tortures.work_hand import LEASE, PROJECT
from undercroft.db.queries import load_queries
from undercroft.db.sqlstate import DRIVER_ERRORS
from undercroft.work.service import Work

CHECKS = load_queries("tortures", "work.sql")
END = load_queries("tortures", "work_end.sql")
DATABASE = f"project_{PROJECT}"

PROCESSES = 16
ITEMS = 20_000
RING = 5
"""Items that are linked, unlinked and moved about all the time."""
FAMILY = 25
"""Items beneath one parent."""
PATIENCE = 600.0
"""Seconds after which a run ends with whatever was done."""
ROUND = (*["pause"] * 6, *["stop"] * 4, *["kill"] * 6, "postgres")
"""What happens, in any order, before it all happens again."""
LOOKS = 40
"""At the ring alone, between two at everything."""
FEW = 20
"""Faults of one kind that one look tells."""


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Every item is finished once, by whoever held it; nothing ever waits for itself."""
    items = effort.count(ITEMS, quick=1_200)
    async with begun(effort, items) as field_:
        await field_.run(effort.seconds(PATIENCE, quick=120))
        await field_.nursery.kill_all()
        await field_.look()
        for one in await judged(field_, items):
            yield one


@dataclass(kw_only=True)
class Field:
    """The processes, and what is done to them."""

    place: Scratch
    nursery: Nursery
    folder: Path
    ring: list[str]
    dice: random.Random
    crowd: dict[int, Indexing] = field(default_factory=dict)
    births: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    unsound: list[str] = field(default_factory=list)
    circles: list[str] = field(default_factory=list)
    looks: int = 0
    _waking: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self, number: int) -> None:
        """A process."""
        self.births += 1
        self.crowd[number] = await self.nursery.order(
            number=number + 1_000 * self.births, diary=str(self.folder), ring=self.ring
        )

    async def run(self, seconds: float) -> None:
        """Stop and kill until all is done, or too much time has gone."""
        end = time.monotonic() + seconds
        watching = asyncio.create_task(self._watch())
        try:
            while await self._open() or not all(self.happened[what] for what in ROUND):
                for what in self.dice.sample(ROUND, len(ROUND)):
                    await asyncio.sleep(self.dice.uniform(0.05, 0.4))
                    await self._do(what)
                if time.monotonic() > end:
                    break
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        await asyncio.gather(*self._waking)

    async def _open(self) -> int:
        async with self.place.asked(DATABASE) as admin:
            [row] = await admin.fetch(END.count_open.text)
        return int(row["open"])

    async def _do(self, what: str) -> None:
        number = self.dice.choice([*self.crowd])
        if what == "postgres":
            self.happened[what] += bool(await self.place.kill_postgres())
            return
        self.happened[what] += 1
        if what == "kill":
            await self.crowd[number].kill()
            await self.start(number)
        else:
            longer = self.dice.uniform(1.1, 2.2) * LEASE
            self._stop(self.crowd[number].pid, longer if what == "pause" else 0.2 * LEASE)

    def _stop(self, pid: int, seconds: float) -> None:
        async def stop() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(seconds)
                os.kill(pid, signal.SIGCONT)

        task = asyncio.create_task(stop())
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _watch(self) -> None:
        while True:
            await self.look()
            with suppress(*DRIVER_ERRORS):
                async with self.place.asked(DATABASE) as admin:
                    for _ in range(LOOKS):
                        await asyncio.sleep(0.01)
                        rows = await admin.fetch(END.list_ring.text)
                        self.circles += work_judge.circles(rows)[:FEW]
                        self.looks += 1

    async def look(self) -> None:
        """What does not hold although it should at any moment."""
        with suppress(*DRIVER_ERRORS):
            async with self.place.asked(DATABASE) as admin:
                self.circles += work_judge.circles(await admin.fetch(END.list_edges.text))[:FEW]
                for query in CHECKS:
                    rows = await admin.fetch(query.text)
                    name = query.name.replace("_", " ")
                    self.unsound += [f"{name}: {row['fault']}" for row in rows[:FEW]]
                self.looks += 1


@asynccontextmanager
async def begun(effort: Effort, items: int) -> AsyncIterator[Field]:
    """Processes at work."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(scratch(effort.fault))
        await make_projects(place, PROJECT)
        await effort.plant(place)
        async with place.app() as app:
            effort.tell(f"work: a plan of {items:,} items")
            ring = await planned(await app.work(PROJECT, "torture"), items)
        folder = place.home.parent / "diaries"
        folder.mkdir()
        crowd = await stack.enter_async_context(nursery(place, "tortures.work_hand"))
        dice = random.Random()  # noqa: S311 - another run each time
        made = Field(place=place, nursery=crowd, folder=folder, ring=ring, dice=dice)
        await asyncio.gather(*(made.start(number) for number in range(PROCESSES)))
        yield made


async def planned(work: Work, items: int) -> list[str]:
    """Families of tasks that wait for one another; and the ring, whose ids come back."""
    for first in range(0, items, 20 * FAMILY):
        families = []
        for family in range(first, min(first + 20 * FAMILY, items), FAMILY):
            tasks: list[dict[str, Any]] = []
            for place in range(min(FAMILY, items - family)):
                waits = [f"{family}.{place - n}" for n in (3, 5) if place % 2 and place >= n]
                tasks.append(
                    {"title": f"{family}.{place}", "key": f"{family}.{place}", "blocked_by": waits}
                    | {"priority": place % 5}
                )
            families.append({"title": f"family {family}", "kind": "issue", "children": tasks})
        await work.create_plan(families)
    ring = [{"title": f"ring {n}", "assignee": "nobody", "key": f"r{n}"} for n in range(RING)]
    return list((await work.create_plan(ring)).ids.values())


async def judged(field_: Field, items: int) -> list[Invariant]:
    """What the history says of it."""
    async with field_.place.asked(DATABASE) as admin:
        rows = await admin.fetch(END.list_history.text)
        [left] = await admin.fetch(END.count_open.text)
    every, told = work_judge.histories(rows), work_judge.read(field_.folder)
    operations = Counter(row["operation"] for row in rows)
    again = sum(row["operation"] == "claim" and row["epoch"] > 1 for row in rows)
    refused = sum(n for what, n in told.refused.items() if what.endswith("conflict"))
    unsure = sum(n for what, n in told.refused.items() if what.endswith("outcome_unknown"))
    if left["every"] < items:
        raise RuntimeError(f"only {left['every']} items were made")
    return [
        none_of("not finished once", [*work_judge.not_once(every)], f"of {len(every):,} items"),
        none_of("stale writes accepted", [*work_judge.stale(told, every)], "by epoch"),
        none_of("claimed by two", [*work_judge.doubles(told, every)], "told, or by the history"),
        none_of("answers lost", [*work_judge.lost(told, every)], "claims, releases, ends"),
        none_of("circles seen", field_.circles, f"in {field_.looks} looks at one moment each"),
        none_of("tables unsound", field_.unsound, f"{len([*CHECKS])} truths, in as many looks"),
        none_of("wrong answers", field_.nursery.mistakes, "errors that nobody can expect"),
        at_least("items finished", left["every"] - left["open"], left["every"], "all of them"),
        at_least("claims", operations["claim"], items, f"{unsure} answers in doubt"),
        at_least("moves", left["moves"], 3, "among siblings, and beneath one another"),
        at_least("claimed again", again, 3, "after a death, a pause, a release"),
        at_least("late writes refused", refused, 3, "the claim was over, or another's"),
        at_least("processes killed", field_.happened["kill"], 3, "with -9"),
        at_least("paused past the lease", field_.happened["pause"], 3, "by SIGSTOP"),
        at_least("outages of PostgreSQL", field_.happened["postgres"], 1, "all of it, with -9"),
        at_least("looks at the tables", field_.looks, 3, "meanwhile"),
    ]
