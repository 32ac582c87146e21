"""Many finished tasks slow nothing down that looks at a few."""

from __future__ import annotations

import json

import asyncpg
import pytest

from undercroft.timing.models import Task
from undercroft.timing.service import SQL, Timing

TASKS = 6_000


@pytest.fixture
async def many(sql: asyncpg.Connection) -> asyncpg.Connection:
    """Finished tasks, an hour apart; all but the newest ten are judged."""
    await sql.execute(
        "INSERT INTO workflow.task_executions (title, kind, asker, status, estimated_minutes,"
        " actual_minutes, started_at, finished_at, recommended_basis)"
        " SELECT 'Mend wall ' || n % 50, 'bug', 'ada', 'finished', 60, 10 + n % 90,"
        " now() - make_interval(hours => n, mins => 30), now() - make_interval(hours => n),"
        " CASE WHEN n > 10 THEN 'own' END"
        f" FROM generate_series(1, {TASKS}) AS n"
    )
    await sql.execute("ANALYZE workflow.task_executions")
    return sql


async def plan(sql: asyncpg.Connection, statement: str) -> str:
    """The plan of a statement, as text."""
    return json.dumps(json.loads(await sql.fetchval(f"EXPLAIN (FORMAT json) {statement}")))


async def test_a_page_of_the_list_reads_its_index(many: asyncpg.Connection) -> None:
    text = SQL.list_executions.text
    for number, value in enumerate(("''", "false", "NULL", "NULL", "50"), 1):
        text = text.replace(f"${number}", value)
    found = await plan(many, text)
    assert "idx_task_executions_started_at" in found
    assert '"Sort"' not in found


async def test_judging_reads_what_is_not_judged_alone(many: asyncpg.Connection) -> None:
    found = await plan(
        many,
        "SELECT id FROM workflow.task_executions WHERE status = 'finished'"
        " AND recommended_basis IS NULL ORDER BY finished_at DESC, id DESC LIMIT 200",
    )
    assert "idx_task_executions_unjudged" in found


async def test_only_the_newest_five_thousand_are_read(
    timing: Timing, many: asyncpg.Connection
) -> None:
    found = await timing.recommend(Task(title="Mend wall 7", kind="bug"))
    assert (found.tasks, found.alike) == (5_000, 5_000)
    assert await timing.judge() == 10
