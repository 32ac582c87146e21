"""Several servers that close and open the same projects at the same time."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from tortures.crashes import disagreements
from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.one_record import ask
from tortures.scratch import scratch
from undercroft.app import App

SERVERS = 4
NAMES = ("tug", "war")


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """However they interleave, the registry says what the databases are."""
    rounds = effort.count(60, quick=20)
    async with scratch() as place, AsyncExitStack() as stack:
        await place.configure(fsync="off")
        apps = [await stack.enter_async_context(place.app()) for _ in range(SERVERS)]
        for name in NAMES:
            await ask(apps[0], "create_project", name=name)
        await effort.plant(place)
        found: list[str] = []
        ends: Counter[str] = Counter()
        for _ in range(rounds):
            ends += await _pull(apps)
            found += await disagreements(place)
        internal = ends["internal"]
        yield none_of("registry and databases differ", found, f"after {rounds} rounds of a tug")
        yield Invariant(name="internal errors", figure=internal, limit=0, meaning="of the server")
        yield at_least("changes made", ends["ok"], rounds * SERVERS, "archived or restored")


async def _pull(apps: list[App]) -> Counter[str]:
    async def one(app: App, tool: str, name: str) -> str:
        await asyncio.sleep(random.random() * 0.01)  # noqa: S311 - a die, not a secret
        return str((await ask(app, tool, name=name)).get("code", "ok"))

    calls = [
        one(app, tool, name)
        for app in apps
        for name in NAMES
        for tool in ("archive_project", "restore_project")
    ]
    return Counter(await asyncio.gather(*calls))
