"""Mixed load while servers and PostgreSQL are killed with -9."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tortures.client import Gone, start_server
from tortures.crowd import AGAIN, PROJECT, Crowd, Servers
from tortures.frame import Effort
from tortures.history import judge, read
from tortures.invariants import Invariant, at_least, none_of
from tortures.scratch import Scratch, scratch

SERVERS = 3
CLIENTS = 12
FLOOR = 5.0
"""Acknowledged changes a second below which a run counts for nothing."""
PATIENCE = 40.0

DISAGREE = """
SELECT coalesce(p.name, d.datname) || ': ' || coalesce(p.state, 'unknown') || '/'
       || coalesce(d.datallowconn::text, 'absent')
FROM {projects} p FULL JOIN (SELECT * FROM pg_database WHERE datname LIKE 'project\\_%') d
  ON d.datname = p.database_name
WHERE p.name IS NULL OR d.datname IS NULL OR p.state NOT IN ('ready', 'archived')
   OR d.datallowconn <> (p.state = 'ready') OR d.datconnlimit = -2
"""


@dataclass(kw_only=True)
class Churn:
    """Projects that are made, closed and opened meanwhile; held still while they are counted."""

    servers: Servers
    still: asyncio.Lock = field(default_factory=asyncio.Lock)
    done: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """One project after the other through its life."""
        for number in itertools.count():
            for tool in ("create_project", "archive_project", "restore_project"):
                if stop.is_set():
                    return
                async with self.still:
                    await self._until_done(tool, f"churn_{number}")
                    self.done += 1

    async def _until_done(self, tool: str, name: str) -> None:
        while True:
            server = await self.servers.any()
            try:
                body = await server.call(tool, {"name": name})
            except Gone:
                self.servers.drop(server)
                continue
            if body.get("code") not in AGAIN:
                return


@dataclass(kw_only=True)
class Killer:
    """Kills servers all the time, and PostgreSQL every few seconds."""

    scratch: Scratch
    servers: Servers
    churn: Churn
    outages: int = 0
    disagreements: list[str] = field(default_factory=list)

    async def run(self, seconds: float) -> None:
        """Kill until the time is over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            for _ in range(2):
                await asyncio.sleep(random.uniform(0.2, 1.5))  # noqa: S311 - a die
                await self.servers.kill_one()
            await asyncio.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - a die
            self.outages += bool(await self.scratch.kill_postgres())
            await self._compare()

    async def _compare(self) -> None:
        """After the restart a new server settles what was left; then the two must be equal."""
        async with self.churn.still:
            fresh = await start_server(self.scratch)
            try:
                await fresh.call("list_projects", {})
                for _ in range(int(PATIENCE / 0.1)):
                    if not (found := await disagreements(self.scratch)):
                        return
                    await asyncio.sleep(0.1)
                self.disagreements += found
            finally:
                await fresh.kill()


async def disagreements(scratch: Scratch) -> list[str]:
    """Where the registry and the databases that exist do not agree."""
    async with scratch.asked("mcp_registry") as admin:
        return [row[0] for row in await admin.fetch(DISAGREE.format(projects="public.projects"))]


@asynccontextmanager
async def begun(effort: Effort) -> AsyncIterator[tuple[Scratch, Servers]]:
    """Servers with one project, and durable settings proven."""
    async with scratch(effort.fault) as place:
        servers = Servers(scratch=place, count=SERVERS)
        try:
            await servers.fill()
            made: dict[str, Any] = await (await servers.any()).call(
                "create_project", {"name": PROJECT}
            )
            if "code" in made:
                raise RuntimeError(made["message"])
            await effort.plant(place)
            yield place, servers
        finally:
            await servers.end()


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Nothing acknowledged is lost, nothing is applied twice, the registry tells the truth."""
    seconds = effort.seconds(60, quick=20)
    async with begun(effort) as (place, servers):
        crowd, churn = Crowd(servers=servers), Churn(servers=servers)
        killer = Killer(scratch=place, servers=servers, churn=churn)
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(crowd.client(number))
            group.create_task(churn.run(crowd.stop))
            await killer.run(seconds)
            crowd.stop.set()
        async with place.asked(f"project_{PROJECT}") as admin:
            stored = await read(admin)
        for invariant in judge(crowd.changes, stored):
            yield invariant
        yield none_of(
            "registry and databases differ",
            killer.disagreements,
            "after each restart, once settled",
        )
        acknowledged = sum(bool(change.version) for change in crowd.changes)
        yield at_least("acknowledged changes /s", acknowledged / seconds, FLOOR, "else it is idle")
        yield at_least("repeated calls", _repeated(crowd), 1, "under their keys")
        yield at_least("servers killed", servers.killed, 2, "with -9")
        yield at_least("outages of PostgreSQL", killer.outages, 2, "the whole process group, -9")
        yield at_least("project changes", churn.done, 3, "create, archive, restore meanwhile")


def _repeated(crowd: Crowd) -> int:
    return sum(change.tries - 1 for change in crowd.changes)
