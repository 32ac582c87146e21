"""A free port found in 10,000 of which a few are free, against 10,000 that are all free."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Judgement, bare, times_bare
from benchmarks.frame import Effort, Operation, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from benchmarks.ports import PROJECT, SQL
from benchmarks.records import require
from undercroft.ports.machine import Machine
from undercroft.ports.service import Ports

if TYPE_CHECKING:
    import asyncpg

    from undercroft.db.database import Database

RANGE = "default"
FIRST, AFTER = 20_000, 30_000
FREE = 10
EPHEMERAL = (32_768, 61_000)

SHORT = {"find_available_port": "SQL", "Ports.find": "Ports.find"}

Road = Callable[[str], Operation]
"""From a machine to the search on it."""


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """The SQL function alone, then the service."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        registry = await app.registry()
        async with bare_connection(app, app.settings.registry_database) as connection:
            effort.tell("ports: filling ranges")
            layouts = await filled(connection)
            for name, road in (
                ("find_available_port", by_function(connection)),
                ("Ports.find", by_service(registry)),
            ):
                effort.tell(f"ports: {name}")
                sides = {layout: timed(road(layout)) for layout in ("empty", *layouts)}
                samples = await interleave(sides, rounds=effort.rounds(500, 30), warm=10)
                for layout, where in layouts.items():
                    pair = {"ours": samples[layout], "bare": samples["empty"]}
                    yield _judgement(name, layout, where).figure(pair)


async def filled(connection: asyncpg.Connection) -> dict[str, str]:
    """Machines whose range is full, each with its free ports elsewhere: name → where."""
    known = {row["port"] for row in await connection.fetch(SQL.list_well_known.text, RANGE)}
    usable = [port for port in range(FIRST, AFTER) if port not in known]
    chance = random.Random(0)  # noqa: S311 - the same places every time
    layouts = {
        "scattered": ("at random places", chance.sample(usable, FREE)),
        "last": ("all at the end", usable[-FREE:]),
        "first": ("all at the start", usable[:FREE]),
    }
    await connection.execute(SQL.insert_host.text, "empty")
    for host, (_, free) in layouts.items():
        await connection.execute(SQL.insert_host.text, host)
        spared = [*free, *known]
        rows = await connection.fetch(SQL.fill_range.text, host, RANGE, PROJECT, spared)
        if len(rows) != AFTER - FIRST - len(spared):
            raise RuntimeError(f"{len(rows)} ports of {host} are taken")
    return {host: where for host, (where, _) in layouts.items()}


def by_function(connection: asyncpg.Connection) -> Road:
    """Through the driver."""

    def road(host: str) -> Operation:
        async def find() -> None:
            require(await connection.fetchval(SQL.find_port.text, host, RANGE))

        return find

    return road


def by_service(registry: Database) -> Road:
    """Through the service, which probes what it finds."""

    def road(host: str) -> Operation:
        ports = Ports(registry, Machine(id=host, name=host, ephemeral=EPHEMERAL))

        async def find() -> None:
            require((await ports.find(range_name=RANGE))[0])

        return find

    return road


def _judgement(name: str, layout: str, where: str) -> Judgement:
    return Judgement(
        name=f"{SHORT[name]}, {layout}",
        meaning=f"{name} where {FREE} of 10,000 ports are free, {where}, against all free",
        unit="ms",
        value_unit="x",
        target=5.0,
        of=times_bare,
        baseline=bare,
    )
