"""Clocks: active time, started and stopped by hand or inside another room's transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from undercroft.db.database import Database
from undercroft.errors import InvalidInput, NotFound
from undercroft.timing.models import Task
from undercroft.timing.service import Timing
from undercroft.work.service import Work

START = "SELECT workflow.start_clock($1, 'bug', 'Mend it', '{}', NULL, 60, $2, $3)"
EARLIER = """
UPDATE workflow.time_tracking_sessions
SET started_at = started_at - make_interval(mins => $1),
    expires_at = expires_at - make_interval(mins => $2)
WHERE ended_at IS NULL
"""
"""Time passes: the session began so many minutes earlier, its lease ends so much earlier."""


async def claim(sql: asyncpg.Connection, actor: str, lease: float | None = None) -> Any:
    """What a claim of the item uc-1 does, with a lease of some minutes."""
    until = await sql.fetchval("SELECT clock_timestamp() + make_interval(secs => $1 * 60)", lease)
    return await sql.fetchval(START, "uc-1", actor, until)


async def test_a_timer_counts_until_it_is_stopped(timing: Timing, sql) -> None:
    begun = await timing.start(Task(title="Mend the roof", kind="Bug", own_minutes=20))
    assert (begun.status, begun.kind, begun.asker) == ("running", "bug", "ada")
    await sql.execute(EARLIER, 30, 0)
    done = await timing.stop(str(begun.timer), factors=["Flaky tests", "flaky tests "])
    assert done.status == "finished"
    assert done.minutes == pytest.approx(30, abs=0.5)
    assert done.variance_percent == pytest.approx(50, abs=3)
    assert await sql.fetchval("SELECT factor FROM workflow.task_execution_factors") == "flaky tests"


async def test_a_pause_does_not_count(timing: Timing, sql) -> None:
    timer = str((await timing.start(Task(title="Mend the roof"))).timer)
    await sql.execute(EARLIER, 10, 0)
    paused = await timing.stop(timer, "paused")
    assert paused.status == "paused"
    # An hour of lunch: the session that ended lies an hour back.
    await sql.execute(
        "UPDATE workflow.time_tracking_sessions SET started_at = started_at - interval '1 hour',"
        " ended_at = ended_at - interval '1 hour'"
    )
    assert (await timing.resume(timer)).status == "running"
    await sql.execute(EARLIER, 5, 0)
    assert (await timing.stop(timer)).minutes == pytest.approx(15, abs=0.5)


async def test_time_after_a_lost_lease_is_nobodys(sql) -> None:
    await claim(sql, "ada", lease=10)
    # An hour passes, and the lease was over after ten minutes of it.
    await sql.execute(EARLIER, 60, 60)
    await claim(sql, "bob", lease=10)
    await sql.execute(EARLIER, 5, 0)
    minutes = await sql.fetchval("SELECT workflow.stop_clock('uc-1')")
    assert minutes == pytest.approx(15, abs=0.5)
    sessions = await sql.fetch(
        "SELECT actor, minutes FROM workflow.time_tracking_sessions ORDER BY id"
    )
    assert [row["actor"] for row in sessions] == ["ada", "bob"]
    assert sessions[0]["minutes"] == pytest.approx(10, abs=0.5)


async def test_a_lapsed_clock_is_seen_as_paused_and_stops_where_the_lease_did(
    timing: Timing, sql
) -> None:
    await claim(sql, "ada", lease=10)
    await sql.execute(EARLIER, 60, 60)
    [seen] = (await timing.page("uc-1")).items
    assert (seen.status, round(seen.minutes)) == ("paused", 10)
    assert await sql.fetchval("SELECT workflow.stop_clock('uc-1')") == pytest.approx(10, abs=0.5)


async def test_a_heartbeat_lengthens_what_still_runs_and_nothing_else(sql) -> None:
    extend = "SELECT workflow.extend_clock('uc-1', clock_timestamp() + interval '1 hour')"
    assert await sql.fetchval(extend) is False
    await claim(sql, "ada", lease=10)
    await sql.execute(EARLIER, 5, 5)
    assert await sql.fetchval(extend) is True
    await sql.execute(EARLIER, 40, 0)
    assert await sql.fetchval("SELECT workflow.stop_clock('uc-1', 'paused')") == pytest.approx(
        45, abs=0.5
    )
    await claim(sql, "ada", lease=10)
    await sql.execute(EARLIER, 30, 30)
    assert await sql.fetchval(extend) is False


async def test_the_same_claim_again_goes_on_with_its_session(sql) -> None:
    first = await claim(sql, "ada", lease=10)
    assert await claim(sql, "ada", lease=20) == first
    assert await sql.fetchval("SELECT count(*) FROM workflow.time_tracking_sessions") == 1


async def test_a_claim_that_is_rolled_back_has_started_nothing(sql) -> None:
    transaction = sql.transaction()
    await transaction.start()
    await claim(sql, "ada", lease=10)
    await transaction.rollback()
    assert await sql.fetchval("SELECT count(*) FROM workflow.task_executions") == 0
    assert await sql.fetchval("SELECT workflow.stop_clock('uc-1')") is None


async def test_an_abandoned_task_is_not_learned_from(timing: Timing) -> None:
    timer = str((await timing.start(Task(title="Mend the roof"))).timer)
    assert (await timing.stop(timer, "abandoned")).status == "abandoned"
    assert (await timing.recommend(Task(title="Mend the roof"))).basis == "none"
    assert (await timing.report()).patterns == []


async def test_a_stopped_timer_is_no_timer(timing: Timing, work: Work) -> None:
    item = (await work.create("Mend the roof")).id
    timer = str((await timing.start(Task(title="Mend the roof"), item=item)).timer)
    await timing.stop(item)
    for name in (timer, item, "nothing"):
        with pytest.raises(NotFound, match="no open timer"):
            await timing.stop(name)
        with pytest.raises(NotFound, match="no open timer"):
            await timing.resume(name)
    again = await timing.start(Task(title="Mend it again"), item=item)
    assert str(again.timer) != timer


async def test_what_was_measured_is_not_rewritten(timing: Timing, sql) -> None:
    await timing.record(Task(title="Mend the roof"), 10)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="keeps its time"):
        await sql.execute("UPDATE workflow.task_executions SET actual_minutes = 1")


async def test_two_starts_of_one_item_make_one_clock(
    project_db: Database, connect: Callable[..., Any], sql
) -> None:
    first, second = await connect(project_db.name), await connect(project_db.name)
    transaction = first.transaction()
    await transaction.start()
    mine = await claim(first, "ada", lease=10)
    other = asyncio.create_task(claim(second, "bob", lease=10))
    waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1"
    while not await sql.fetchval(waiting, second.get_server_pid()):
        await asyncio.sleep(0.01)
    await transaction.commit()
    assert await other == mine
    rows = await sql.fetch(
        "SELECT actor, ended_at IS NULL AS runs FROM workflow.time_tracking_sessions ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [("ada", False), ("bob", True)]


async def test_a_stop_and_a_resume_at_once_leave_no_clock_behind(
    project_db: Database, connect: Callable[..., Any], sql
) -> None:
    execution = await claim(sql, "ada", lease=10)
    first, second = await connect(project_db.name), await connect(project_db.name)
    transaction = first.transaction()
    await transaction.start()
    await first.fetchval("SELECT workflow.stop_clock('uc-1')")
    resume = second.fetchval("SELECT workflow.run_session($1, 'bob', NULL)", execution)
    other = asyncio.ensure_future(resume)
    waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1"
    while not await sql.fetchval(waiting, second.get_server_pid()):
        await asyncio.sleep(0.01)
    await transaction.commit()
    assert await other is False
    assert await sql.fetchval(
        "SELECT bool_and(ended_at IS NOT NULL) FROM workflow.time_tracking_sessions"
    )


async def test_times_that_cannot_be_are_refused(timing: Timing) -> None:
    task, moment = Task(title="Mend the roof"), datetime(2026, 1, 1, tzinfo=UTC)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for wrong in (
        {"minutes": 0},
        {"minutes": float("nan")},
        {"minutes": 1, "finished_at": moment.replace(tzinfo=None)},
        {"minutes": 1, "started_at": moment.replace(year=2027), "finished_at": moment},
        {"minutes": 5_256_000, "finished_at": moment.replace(year=1, day=2)},
        {"minutes": 5_256_000, "finished_at": moment.replace(year=9)},
        {"minutes": 1, "started_at": moment.replace(year=1)},
        {"minutes": 1, "started_at": moment.replace(year=9999)},
        {"minutes": 1, "started_at": tomorrow},
        {"minutes": 1, "finished_at": tomorrow},
        {"minutes": 1, "factors": [""]},
        {"minutes": 1, "factors": ["x" * 101]},
        {"minutes": 1, "item": "x" * 201},
    ):
        with pytest.raises(InvalidInput):
            await timing.record(task, **wrong)
    assert (await timing.page()).items == []


async def test_a_caller_whose_clock_is_a_little_fast_is_understood(timing: Timing) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    for started_at, finished_at in ((soon, None), (None, soon)):
        kept = await timing.record(
            Task(title="Mend the roof"), 1, started_at=started_at, finished_at=finished_at
        )
        assert kept.finished_at
        assert kept.started_at <= kept.finished_at < soon


@pytest.mark.parametrize(
    "times",
    [
        "'0001-12-31 UTC', '2026-01-01 UTC'",
        "'2026-01-02 UTC', '2026-01-01 UTC'",
        "'2026-01-02 UTC', '9999-01-01 UTC'",
        "'2026-01-02 UTC', 'infinity'",
    ],
)
async def test_no_time_is_kept_that_cannot_be_read(sql, times: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="valid_execution_times"):
        await sql.execute(
            "INSERT INTO workflow.task_executions (asker, status, actual_minutes, started_at,"
            f" finished_at) VALUES ('ada', 'finished', 1, {times})"
        )


async def test_the_report_tells_how_estimates_came_out(timing: Timing, finish) -> None:
    await finish(10, 20, 40, own=80)
    await timing.judge()
    await timing.record(Task(kind="bug"), 30, factors=["flaky tests"])
    report = await timing.report()
    [pattern] = report.patterns
    assert (pattern.asker, pattern.kind, pattern.tasks, pattern.estimated_tasks) == (
        *("ada", "bug"),
        *(4, 3),
    )
    assert pattern.ratio == pytest.approx(0.25)
    assert pattern.ratio_low
    assert pattern.ratio_high
    assert pattern.ratio_low < 0.25 < pattern.ratio_high
    assert report.accuracy["tasks"] == 4
    assert report.accuracy["mean_ratio"] == pytest.approx(0.25)
    [week] = report.trends
    assert (week["kind"], week["tasks"], week["total_minutes"]) == ("bug", 4, 100)
    assert [one["factor"] for one in report.factors] == ["flaky tests"]


async def test_patterns_equal_what_sql_computes_at_once(timing: Timing, sql, finish) -> None:
    for minutes in (3, 5, 8, 13, 21):
        await finish(minutes, own=10)
        await finish(minutes * 2)
    kept = await sql.fetchrow(
        "SELECT tasks, estimated_tasks, log_ratio_mean, log_ratio_m2, log_minutes_m2"
        " FROM workflow.estimation_patterns"
    )
    computed = await sql.fetchrow(
        "SELECT count(*), count(estimated_minutes), avg(ln(actual_minutes / estimated_minutes)),"
        " var_pop(ln(actual_minutes / estimated_minutes)) * count(estimated_minutes),"
        " var_pop(ln(actual_minutes)) * count(*) FROM workflow.task_executions"
    )
    assert list(kept) == pytest.approx(list(computed))


async def test_the_list_goes_on_where_a_page_ended(timing: Timing) -> None:
    for number in range(5):
        await timing.record(Task(title=f"Task {number}"), 1)
    await timing.start(Task(title="Still open"))
    titles, cursor = [], ""
    while True:
        page = await timing.page(limit=2, cursor=cursor)
        titles += [one.title for one in page.items]
        cursor = page.next_cursor or ""
        if not cursor:
            break
    assert titles[0] == "Still open"
    assert sorted(titles[1:]) == [f"Task {number}" for number in range(5)]
    assert [one.title for one in (await timing.page(open_only=True)).items] == ["Still open"]
    with pytest.raises(InvalidInput, match="cursor"):
        await timing.page(cursor="WzEsMl0")
