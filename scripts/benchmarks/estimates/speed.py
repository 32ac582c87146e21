"""How long an estimate takes with 10,000 finished tasks behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from benchmarks.figures import Finding, Judgement, bare, ours_alone
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from benchmarks.records import require
from undercroft.db.queries import load_queries
from undercroft.timing.models import Task
from undercroft.timing.service import Timing

if TYPE_CHECKING:
    import asyncpg

    from undercroft.app import App

SQL = load_queries("benchmarks.estimates", "speed.sql")
PROJECT = "timed"
TASKS = 10_000

ESTIMATE = Judgement(
    name="estimate",
    meaning=f"an estimate with {TASKS:,} finished tasks, against a sum over all of them",
    unit="ms",
    value_unit="ms",
    target=20.0,
    of=ours_alone,
    baseline=bare,
)


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """An estimate with the asker's own, below the boundary."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        database = (await app.open(PROJECT)).database
        async with bare_connection(app, database.name) as connection:
            await connection.execute(SQL.insert_executions.text, TASKS)
            await connection.execute(SQL.analyze_executions.text)
            yield await _estimating(app, connection, effort)


async def _estimating(app: App, connection: asyncpg.Connection, effort: Effort) -> Finding:
    service: Timing = await app.timing(PROJECT, "asker-3")
    task = Task(
        title="Bring the retry policy in line with the gateway",
        kind="bug",
        labels=["network"],
        complexity=4,
        own_minutes=90,
    )

    async def ours() -> None:
        require((await service.recommend(task)).p95_minutes)

    async def beside() -> None:
        require(await connection.fetchval(SQL.sum_minutes.text))

    sides = {"ours": timed(ours), "bare": timed(beside)}
    rounds = effort.rounds(200, 30)
    return ESTIMATE.figure(await interleave(sides, rounds=rounds, warm=5))
