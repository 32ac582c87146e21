"""64 writers on one record, each of them reading before it writes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

from tortures.frame import Effort
from tortures.history import Change, judge, read
from tortures.invariants import Invariant, at_least
from tortures.scratch import scratch
from undercroft.app import App
from undercroft.mcp.call import Caller

WRITERS = 64
PROJECT = "crowd"
CALLER = Caller(actor="torture", transport="torture")


async def ask(app: App, tool: str, **arguments: Any) -> dict[str, Any]:
    """The body of a tool's answer, a failure's as well."""
    return dict((await app.boundary.call(tool, arguments, CALLER)).body)


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Whoever wins gets the next version; nobody overwrites what it has not seen."""
    wins = effort.count(640, quick=128)
    async with scratch() as place, place.app() as app:
        await ask(app, "create_project", name=PROJECT)
        await effort.plant(place)
        token = uuid.uuid4().hex
        first = await ask(app, "create_entity", project=PROJECT, type="task", data=task(token))
        loop = asyncio.get_running_loop()
        changes = [Change(token=token, tool="create_entity", began=0, ended=loop.time())]
        changes[0].entity, changes[0].version = first["id"], first["version"]

        async def write() -> None:
            for _ in range(wins // WRITERS):
                while not await attempt(app, first["id"], changes):
                    continue

        await asyncio.gather(*(write() for _ in range(WRITERS)))
        async with place.asked(f"project_{PROJECT}") as admin:
            stored = await read(admin)
        for invariant in judge(changes, stored):
            yield invariant
        conflicts = sum(change.refusal == "conflict" for change in changes)
        yield at_least("writes that won", len(stored.rows), wins, f"of {WRITERS} writers")
        yield at_least("stale writes refused", conflicts, wins // 4, "else they never met")


def task(token: str) -> dict[str, str]:
    """A record that carries the token of its change."""
    return {"title": token, "status": "pending", "priority": "high"}


async def attempt(app: App, entity: str, changes: list[Change]) -> bool:
    """Read, then write what was read plus one; whether it won."""
    loop = asyncio.get_running_loop()
    seen = await ask(app, "get_entity", project=PROJECT, id=entity)
    token = uuid.uuid4().hex
    change = Change(token=token, tool="update_entity", began=loop.time(), entity=entity)
    changes.append(change)
    named = {"project": PROJECT, "id": entity, "version": seen["version"]}
    body = await ask(app, "update_entity", **named, data=task(token))
    change.ended = loop.time()
    if "code" in body:
        change.refusal = body["code"]
        return False
    change.version = body["version"]
    if change.version != seen["version"] + 1:
        # It overwrote what it had not seen: as bad as a version given to two writers.
        changes.append(Change(token=token, tool="", began=0, entity=entity, version=change.version))
    return True
