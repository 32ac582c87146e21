"""Twelve server processes at work on one embedded PostgreSQL, as a developer with many windows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from tortures.client import Server, start_server
from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.scratch import scratch
from tortures.sessions import Watch

SERVERS = 12
PROJECTS = 8
AT_ONCE = 40


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """They never run PostgreSQL out of connections."""
    seconds = effort.seconds(15, quick=5)
    async with scratch() as place:
        servers = await asyncio.gather(*(start_server(place) for _ in range(SERVERS)))
        for number in range(PROJECTS):
            await servers[0].call("create_project", {"name": f"window_{number}"})
        async with place.asked() as admin:
            watch = Watch(admin=admin)
            room = int(await admin.fetchval("SHOW max_connections")) - int(
                await admin.fetchval("SHOW superuser_reserved_connections")
            )
            async with watch.watching():
                answers = await _work(servers, seconds)
        for server in servers:
            await server.kill()
        yield Invariant(
            name="most connections at once",
            figure=watch.most,
            limit=room,
            meaning=f"{SERVERS} servers with {AT_ONCE} callers each",
        )
        yield none_of("calls refused", [code for code in answers if code], "all are served")
        yield at_least("calls /s", len(answers) / seconds, 20, "else they were idle")
        yield at_least("connections at once", watch.most, SERVERS, "else they were idle")


async def _work(servers: list[Server], seconds: float) -> list[str]:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    answers: list[str] = []

    async def caller(server: Server, number: int) -> None:
        while loop.time() < end:
            project = f"window_{number % PROJECTS}"
            data = {"title": "a", "status": "pending", "priority": "high"}
            body = await server.call(
                "create_entity", {"project": project, "type": "task", "data": data}
            )
            answers.append(body.get("code", ""))

    await asyncio.gather(*(caller(s, n) for s in servers for n in range(AT_ONCE)))
    return answers
