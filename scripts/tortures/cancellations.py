"""Calls cut off at random moments."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from typing import Any

from tortures.frame import Effort
from tortures.history import read
from tortures.invariants import Invariant, at_least, none_of
from tortures.one_record import PROJECT, ask, task
from tortures.scratch import scratch
from tortures.sessions import Watch
from undercroft.app import App

AT_ONCE = 40
LONGEST = 0.5
"""Seconds after which a call is cut off at the latest; most last less than this."""


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Nothing idle in transaction, nothing leaked, the budget back where it was."""
    calls = effort.count(5000, quick=1000)
    async with scratch() as place, place.asked() as admin:
        async with place.app() as app:
            await ask(app, "create_project", name=PROJECT)
            await effort.plant(place)
            cut, tokens = await _storm(app, calls)
            watch = Watch(admin=admin)
            idle = await watch.settled("state LIKE 'idle in transaction%'")
            busy = await watch.settled("state = 'active'")
            pools = app.started.pools
            sessions = await watch.settled("true", pools.budget.used)
            leaked = abs(sessions - pools.budget.used)
            kept = sum(pool["idle"] for pool in pools.figures()["databases"].values())
            held = pools.budget.used - kept
        left = await watch.settled("true")
        async with place.asked(f"project_{PROJECT}") as inside:
            stored = await read(inside)
        written = {row.token for row in stored.rows}
        yield Invariant(name="idle in transaction", figure=idle, limit=0, meaning="sessions")
        yield Invariant(name="statements still at work", figure=busy, limit=0, meaning="sessions")
        yield Invariant(name="sessions not accounted", figure=leaked, limit=0, meaning="leaked")
        yield Invariant(name="budget held by nobody", figure=held, limit=0, meaning="leaked slots")
        yield Invariant(name="sessions after the end", figure=left, limit=0, meaning="leaked")
        lost = [token for token in tokens if token not in written]
        yield none_of("acknowledged writes lost", lost, "cut-off neighbours or not")
        yield at_least("calls cut off", cut, calls / 10, f"of {calls}")
        yield at_least("calls finished", calls - cut, calls / 10, f"of {calls}")


async def _storm(app: App, calls: int) -> tuple[int, list[str]]:
    dice = random.Random(11)  # noqa: S311 - a reproducible run, not a secret
    gate = asyncio.Semaphore(AT_ONCE)
    tokens: list[str] = []
    entity: dict[str, Any] = await ask(
        app, "create_entity", project=PROJECT, type="task", data=task("first")
    )

    async def one() -> bool:
        async with gate:
            token, read_only = uuid.uuid4().hex, dice.random() < 0.3  # noqa: PLR2004 - a mixture
            try:
                async with asyncio.timeout(dice.random() ** 3 * LONGEST):
                    if read_only:
                        await ask(app, "get_entity", project=PROJECT, id=entity["id"])
                        return False
                    body = await ask(
                        app,
                        "create_entity",
                        project=PROJECT,
                        type="task",
                        data=task(token),
                        idempotency_key=token,
                    )
            except TimeoutError:
                return True
            if "code" not in body:
                tokens.append(token)
            return False

    ends = await asyncio.gather(*(one() for _ in range(calls)))
    return sum(ends), tokens
