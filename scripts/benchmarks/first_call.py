"""The first call of a fresh server: PostgreSQL running, stopped, or not even made yet."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import bare_server
from benchmarks.client import SERVE, served
from benchmarks.figures import Figure, Judgement, bare, more_than_bare, ours_alone
from benchmarks.frame import Effort, Sampler, interleave
from benchmarks.ground import DOCUMENT, scratch_home
from undercroft.app.app import TOOLSETS
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.mcp.toolset import choose

RUNNING = Judgement(
    name="first call, running",
    meaning="first get_entity of a fresh server right after tools/list while PostgreSQL runs, "
    "against the first call of the plain server's get_entity",
    unit="ms",
    value_unit="ms",
    target=80.0,
    of=more_than_bare,
    baseline=bare,
)
STOPPED = Judgement(
    name="first call, stopped",
    meaning="the same while PostgreSQL is stopped",
    unit="ms",
    value_unit="ms",
    target=800.0,
    of=more_than_bare,
    baseline=bare,
)
FIRST_USE = Judgement(
    name="very first use",
    meaning="create_project as the very first call in an empty home: PostgreSQL made and started, "
    "registry, template and project",
    unit="ms",
    value_unit="ms",
    target=4000.0,
    of=ours_alone,
)


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """First calls."""
    with scratch_home() as home:
        plain = bare_server.write(choose(TOOLSETS, "default", read_only=False), home)
        entity = _prepare(home)
        bare_side = first(plain, home, "get_entity", {"id": entity})
        ours = first(SERVE, home, "get_entity", {"project": "first", "id": entity})
        yield STOPPED.figure(
            await interleave({"ours": ours, "bare": bare_side}, rounds=effort.rounds(15))
        )
        effort.tell("first call: PostgreSQL runs")
        postgres = EmbeddedPostgres(home)
        await postgres.address()
        try:
            yield RUNNING.figure(
                await interleave({"ours": ours, "bare": bare_side}, rounds=effort.rounds(30))
            )
        finally:
            await postgres.close()
    effort.tell("first call: nothing made yet")
    yield FIRST_USE.figure(await interleave({"ours": _first_use}, rounds=effort.rounds(7), warm=0))


def first(command: Sequence[str], home: Path, tool: str, arguments: Mapping[str, Any]) -> Sampler:
    """Milliseconds of the first call after tools/list."""

    async def sample() -> list[float]:
        with served(command, home) as (client, _):
            client.start()
            client.list_tools()
            started = time.perf_counter()
            client.call(tool, arguments)
            return [(time.perf_counter() - started) * 1000]

    return sample


async def _first_use() -> list[float]:
    with scratch_home() as home:
        return await first(SERVE, home, "create_project", {"name": "first"})()


def _prepare(home: Path) -> str:
    """A project with a record; PostgreSQL stops with the server that made them."""
    with served(SERVE, home) as (client, _):
        client.start()
        client.call("create_project", {"name": "first"})
        record = {"project": "first", "type": "task", "data": DOCUMENT}
        return str(client.call("create_entity", record)["id"])
