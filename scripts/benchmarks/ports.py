"""Ports given in one process, below the boundary, against the insert alone."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Finding, Judgement, Rounds, Table, bare, times_bare
from benchmarks.frame import Effort, Operation, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from benchmarks.records import require
from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg

    from undercroft.app import App
    from undercroft.ports.service import Ports

SQL = load_queries("benchmarks", "ports.sql")
PROJECT = "ports"
WORKTREE = "/home/ada/projects/gateway/.worktrees/retry-policy"
BARE = range(2_048, 20_000)
"""Where the bare inserts go: blocks of the map that ours leave alone, ports of no range."""
SEVERAL = 5
MOST_ROUNDS = 1_500
"""What ours are given stays a third of their range: nobody has more services."""

ALLOCATE = Judgement(
    name="allocate",
    meaning="a port for a new service, against the INSERT of its one row (same constraints, same "
    "trigger)",
    unit="ms",
    value_unit="x",
    target=2.0,
    of=times_bare,
    baseline=bare,
)


@dataclass(kw_only=True)
class Sides:
    """The same done by the service and by the driver."""

    ours: Ports
    connection: asyncpg.Connection
    host: str
    _numbers: Iterator[int] = field(default_factory=count)
    _ports: Iterator[int] = field(default_factory=lambda: iter(BARE))

    def services(self, many: int = 1) -> list[str]:
        """Names that nobody has asked for yet."""
        return [f"web-{next(self._numbers)}" for _ in range(many)]

    async def allocate(self) -> None:
        """A port for a new service."""
        await self.ours.allocate(PROJECT, self.services(), worktree=WORKTREE)

    async def insert(self) -> None:
        """The row of one."""
        await self._insert(SQL.insert_port.text)

    async def insert_plain(self) -> None:
        """The same row without what keeps the promises."""
        await self._insert(SQL.insert_plain.text)

    async def _insert(self, text: str) -> None:
        [service] = self.services()
        row = (self.host, next(self._ports), PROJECT, WORKTREE, service, "bench")
        require(await self.connection.fetchval(text, *row))

    async def again(self) -> None:
        """The port that a service has already."""
        await self.ours.allocate(PROJECT, ["stable"], worktree=WORKTREE)

    async def select(self) -> None:
        """The same, read."""
        asker = (PROJECT, WORKTREE, "stable", self.host)
        require(await self.connection.fetchval(SQL.get_port.text, *asker))

    async def several(self) -> None:
        """Ports for new services, all or none."""
        await self.ours.allocate(PROJECT, self.services(SEVERAL), worktree=WORKTREE)

    async def block(self) -> None:
        """The same, ports that follow each other."""
        await self.ours.allocate(
            PROJECT, self.services(SEVERAL), worktree=WORKTREE, contiguous=True
        )

    async def insert_several(self) -> None:
        """Their rows in one statement."""
        ports = list(islice(self._ports, SEVERAL))
        row = (self.host, ports, PROJECT, WORKTREE, self.services(SEVERAL), "bench")
        require(await self.connection.fetchval(SQL.insert_ports.text, *row))


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """One new service, and for information what else may be asked."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        async with bare_connection(app, app.settings.registry_database) as connection:
            effort.tell("ports: one after the other")
            for finding in await _giving(app, connection, effort):
                yield finding


async def _giving(app: App, connection: asyncpg.Connection, effort: Effort) -> list[Finding]:
    await connection.execute(SQL.create_plain_table.text)
    sides = Sides(ours=await app.ports("bench"), connection=connection, host=app.started.machine.id)
    await sides.again()
    rounds = min(effort.rounds(1_000, 150), MOST_ROUNDS)
    one = {"ours": sides.allocate, "bare": sides.insert, "plain": sides.insert_plain}
    given = await _interleaved(one, rounds)
    same = await _interleaved({"ours": sides.again, "bare": sides.select}, rounds)
    together = {"ours": sides.several, "block": sides.block, "bare": sides.insert_several}
    several = await _interleaved(together, max(rounds // 10, 10))
    return [
        ALLOCATE.figure(given),
        _table(
            ("a new service, beside a table with nothing but a key", given["ours"], given["plain"]),
            ("a service that has its port already, beside its SELECT", same["ours"], same["bare"]),
            (f"{SEVERAL} new services, beside their INSERT", several["ours"], several["bare"]),
            (f"{SEVERAL} that follow each other", several["block"], several["bare"]),
        ),
    ]


async def _interleaved(sides: Mapping[str, Operation], rounds: int) -> dict[str, Any]:
    samplers = {side: timed(operation) for side, operation in sides.items()}
    return await interleave(samplers, rounds=rounds, warm=50)


def _table(*rows: tuple[str, Rounds, Rounds]) -> Table:
    """Medians for information."""
    found = []
    for what, ours, beside in rows:
        pair = [statistics.median(chain.from_iterable(side)) for side in (ours, beside)]
        found.append([what, *(f"{one:.3f}" for one in pair), f"{pair[0] / pair[1]:.2f}"])
    return Table(title="Further calls", head=["allocate", "ms", "bare ms", "x"], rows=found)
