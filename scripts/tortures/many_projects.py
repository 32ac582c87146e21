"""Many projects with many callers each, before a server of 100 connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.one_record import ask
from tortures.scratch import scratch
from tortures.sessions import Watch
from undercroft.app import App

CALLERS = 20
BUDGET = 20


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Never above the budget, one opening per first use, no caller refused."""
    projects = effort.count(300, quick=40)
    async with scratch() as place:
        # Making the projects is not what is looked at: let it not wait for the disk.
        await place.configure(max_connections="100", fsync="off")
        async with place.app() as maker:
            await _make(maker, projects)
        async with place.asked() as admin, place.app(pool_budget=BUDGET) as app:
            await effort.plant(place)
            opened = await _counted(app)
            watch = Watch(admin=admin)
            async with watch.watching():
                refused = await _use(app, projects)
        yield Invariant(
            name="most connections at once",
            figure=watch.most,
            limit=BUDGET,
            meaning=f"{projects} projects with {CALLERS} callers each, budget {BUDGET}",
        )
        twice = [name for name, count in opened.items() if count > 1]
        yield none_of("projects opened twice", twice, "one pool per first use")
        yield none_of("callers refused", refused, "the usual deadlines are enough for all")
        yield at_least("projects opened", len(opened), projects, "each by its own pool")
        yield at_least("looks at the sessions", watch.looks, 50, "while it went on")


async def _make(app: App, count: int) -> None:
    made = [await ask(app, "create_project", name=f"many_{number}") for number in range(count)]
    if failed := [body for body in made if "code" in body]:
        raise RuntimeError(failed[0]["message"])


async def _counted(app: App) -> Counter[str]:
    """How often each project's database is opened from now on."""
    finder = (await app.ground()).finder
    opened: Counter[str] = Counter()
    original = finder._open_database  # noqa: SLF001 - the one door that all openings pass

    async def counting(database: str) -> Any:
        opened[database] += 1
        return await original(database)

    finder._open_database = counting  # noqa: SLF001
    return opened


async def _use(app: App, projects: int) -> list[str]:
    async def call(number: int) -> str:
        body = await ask(app, "query_entities", project=f"many_{number}", type="task")
        return str(body.get("code", ""))

    codes = await asyncio.gather(*(call(n) for _ in range(CALLERS) for n in range(projects)))
    return [code for code in codes if code]
