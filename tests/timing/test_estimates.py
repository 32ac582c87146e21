"""Estimates: what they say, what they rest on, and what they do not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from undercroft.db.database import Database
from undercroft.errors import InvalidInput
from undercroft.timing.models import Task
from undercroft.timing.service import Timing


async def test_without_any_finished_task_there_is_no_number_but_ones_own(timing: Timing) -> None:
    nothing = await timing.recommend(Task(title="Mend the roof", kind="bug"))
    assert (nothing.basis, nothing.p50_minutes, nothing.tasks) == ("none", None, 0)
    assert "No task has been finished here yet" in nothing.summary
    own = await timing.recommend(Task(title="Mend the roof", own_minutes=90))
    assert (own.basis, own.p50_minutes, own.p80_minutes) == ("own", 90, None)
    assert "1 h 30 min is your own estimate" in own.summary


async def test_each_quantile_waits_for_enough_tasks(timing: Timing, finish) -> None:
    await finish(10, 20, 30)
    three = await timing.recommend(Task(kind="bug"))
    assert (three.p50_minutes, three.p80_minutes, three.p95_minutes) == (20, None, None)
    assert "80 % needs 4, 95 % needs 19 finished tasks" in three.summary
    await finish(40)
    four = await timing.recommend(Task(kind="bug"))
    assert (four.p80_minutes, four.p95_minutes) == (40, None)
    await finish(*[15] * 14, 50)
    nineteen = await timing.recommend(Task(kind="bug"))
    assert (nineteen.tasks, nineteen.alike, nineteen.p95_minutes) == (19, 19, 50)
    assert "needs" not in nineteen.summary


async def test_an_asker_who_says_five_times_too_much_is_corrected(timing: Timing, finish) -> None:
    for own in (50, 100, 150, 200, 250, 300):
        await finish(own / 5, own=own)
    found = await timing.recommend(Task(kind="bug", own_minutes=120))
    assert found.basis == "calibrated"
    assert found.p50_minutes == pytest.approx(24)
    assert "Estimates like yours (2 h) come out at 0.2 times that." in found.summary


@pytest.mark.parametrize(("took", "said"), [(10, 10), (400, 100)])
async def test_one_task_alone_weighs_as_much_as_the_askers_word(
    timing: Timing, finish, took: float, said: float
) -> None:
    await finish(took, own=100)
    found = await timing.recommend(Task(kind="bug", own_minutes=100))
    # Of two that weigh the same, the lower is the least that half take at most.
    assert found.p50_minutes == pytest.approx(said)
    assert found.p80_minutes is None
    assert "one finished task" in found.summary


async def test_what_is_alike_weighs_most(timing: Timing, project_db: Database, finish) -> None:
    await finish(*[10] * 10, kind="bug")
    await finish(*[300] * 12, kind="feature")
    other = Timing(project_db.acting_as("bob"))
    for _ in range(12):
        await other.record(Task(kind="bug"), 100)
    assert (await timing.recommend(Task(kind="bug"))).p50_minutes == 10
    assert (await timing.recommend(Task(kind="feature"))).p50_minutes == 300
    assert (await other.recommend(Task(kind="bug"))).p50_minutes == 100


async def test_a_kind_that_nobody_knows_rests_on_all_and_says_so(timing: Timing, finish) -> None:
    await finish(10, 20, 30, 40, 50)
    found = await timing.recommend(Task(kind="research"))
    assert (found.tasks, found.alike, found.p50_minutes) == (5, 0, 30)
    assert "none of them of the kind research by ada" in found.summary


async def test_labels_complexity_and_titles_tell_tasks_apart(timing: Timing, finish) -> None:
    await finish(*[10] * 9, labels=["docs"], complexity=2, title="Write the weekly report")
    await finish(*[200] * 9, labels=["core"], complexity=9, title="Move the storage engine")
    assert (await timing.recommend(Task(kind="bug", labels=["docs"]))).p50_minutes == 10
    assert (await timing.recommend(Task(kind="bug", labels=["core"]))).p50_minutes == 200
    assert (await timing.recommend(Task(kind="bug", complexity=1))).p50_minutes == 10
    assert (await timing.recommend(Task(kind="bug", complexity=10))).p50_minutes == 200
    titled = await timing.recommend(Task(kind="bug", title="weekly report, write it"))
    assert titled.p50_minutes == 10
    assert {one.title for one in titled.nearest} == {"Write the weekly report"}
    assert (await timing.recommend(Task(title="storage engine"))).p50_minutes == 200


async def test_nothing_of_the_future_is_known(timing: Timing) -> None:
    long_ago = datetime(2024, 1, 1, tzinfo=UTC)
    for day in range(10):
        at = long_ago + timedelta(days=day)
        await timing.record(Task(kind="bug"), 10 if day < 5 else 1000, finished_at=at)
    early = await timing.recommend(Task(kind="bug"), as_of=long_ago + timedelta(days=4, hours=1))
    assert (early.tasks, early.p50_minutes) == (5, 10)
    before = await timing.recommend(Task(kind="bug"), as_of=long_ago)
    assert (before.basis, before.tasks) == ("none", 0)


async def test_old_tasks_fade(timing: Timing) -> None:
    now = datetime.now(UTC)
    for day in range(8):
        old = now - timedelta(days=5 * 365 + day)
        await timing.record(Task(kind="bug"), 500, finished_at=old)
    for _ in range(4):
        await timing.record(Task(kind="bug"), 20)
    assert (await timing.recommend(Task(kind="bug"))).p50_minutes == 20


async def test_p80_rises_after_it_was_exceeded(timing: Timing) -> None:
    for minutes in range(10, 110, 2):
        await timing.record(Task(kind="bug"), minutes)
    before = await timing.recommend(Task(kind="bug"))
    exceeded = await timing.recommend(Task(kind="chore"))
    for _ in range(20):
        # Of another kind, so that these themselves weigh little.
        await timing.record(Task(kind="chore"), 108, recommended=exceeded)
    after = await timing.recommend(Task(kind="bug"))
    assert before.p80_minutes
    assert after.p80_minutes
    assert after.p80_minutes > before.p80_minutes


async def test_a_task_that_took_just_what_was_told_has_not_exceeded_it(
    timing: Timing, finish
) -> None:
    await finish(*[100 / 3] * 40, *[100] * 14)
    told = await timing.recommend(Task(kind="bug"))
    assert told.p80_minutes == 100
    told = replace(told, p80_minutes=33.33)
    for _ in range(20):
        await timing.record(Task(kind="bug"), 100 / 3, recommended=told)
    assert (await timing.report()).accuracy["within_p80_percent"] == 100
    assert (await timing.recommend(Task(kind="bug"))).p80_minutes == 33.33


async def test_recommendations_are_made_up_for_once(timing: Timing, sql, finish) -> None:
    await finish(10, 20, 30)
    assert await timing.judge() == 3
    assert await timing.judge() == 0
    rows = await sql.fetch(
        "SELECT recommended_basis, recommended_p50 FROM workflow.task_executions"
        " ORDER BY finished_at"
    )
    # Each began before the one before it was finished.
    assert [row["recommended_basis"] for row in rows] == ["own", "own", "own"]


async def test_what_no_task_can_be_is_refused(timing: Timing) -> None:
    for task in (
        Task(title="x" * 501),
        Task(kind="x" * 65),
        Task(labels=[str(n) for n in range(101)]),
        Task(labels=["x" * 101]),
        Task(complexity=-1),
        Task(complexity=float("nan")),
        Task(own_minutes=-1),
        Task(own_minutes=float("inf")),
        Task(own_minutes=1e9),
    ):
        with pytest.raises(InvalidInput):
            await timing.recommend(task)


async def test_one_estimate_does_not_make_all_else_forgotten(timing: Timing, finish) -> None:
    await finish(*[30] * 60, *[40] * 40)
    before = await timing.recommend(Task(kind="bug", own_minutes=60))
    assert (before.basis, before.p50_minutes, before.p80_minutes) == ("past", 30, 40)
    assert "Your own estimate (1 h) is not in it" in before.summary
    assert "`estimate`" in before.summary
    await finish(600, own=60, kind="feature")
    found = await timing.recommend(Task(kind="bug", own_minutes=60))
    assert (found.basis, found.tasks, found.alike) == ("mixed", 101, 100)
    assert (found.p50_minutes, found.p80_minutes) == (30, 40)
    assert found.p95_minutes
    assert "tasks without one count as well" in found.summary


async def test_with_each_estimate_tasks_without_one_count_for_less(timing: Timing, finish) -> None:
    await finish(*[100] * 100)
    said = []
    for _ in range(5):
        found = await timing.recommend(Task(kind="bug", own_minutes=60))
        said.append((found.basis, found.p50_minutes or 0))
        await finish(15, own=60)
    past, *mixed, last = said
    assert past == ("past", 100)
    assert [basis for basis, _ in mixed] == ["mixed"] * 3
    assert [minutes for _, minutes in mixed] == sorted((m for _, m in mixed), reverse=True)
    assert last == ("calibrated", 15)


async def test_estimates_that_are_quite_unlike_leave_what_past_tasks_took(
    timing: Timing, finish
) -> None:
    await finish(*[30] * 10)
    await finish(0.002, own=0.001)
    found = await timing.recommend(Task(kind="bug", own_minutes=5_000_000))
    assert (found.basis, found.p50_minutes, found.tasks) == ("past", 30, 10)
    assert "is not in it" in found.summary


async def test_p80_follows_recommendations_that_were_made_in_the_same_way(
    timing: Timing, finish
) -> None:
    await finish(*range(10, 110))
    before = await timing.recommend(Task(kind="bug"))
    calibrated = replace(before, basis="calibrated", p80_minutes=1)
    for _ in range(20):
        await timing.record(Task(kind="chore"), 108, recommended=calibrated)
    own = await timing.recommend(Task(kind="bug", own_minutes=60))
    plain = await timing.recommend(Task(kind="bug"))
    # No task had an estimate: one's own changes nothing, its level neither.
    assert own.p80_minutes == plain.p80_minutes
    assert (own.basis, plain.basis) == ("past", "past")


@pytest.mark.parametrize("own", ["0", "-5", "'NaN'", "'Infinity'", "'-Infinity'", "1e9"])
async def test_sql_takes_what_no_estimate_can_be_for_none(sql, finish, own: str) -> None:
    ask = "SELECT basis, p50_minutes, effective FROM workflow.get_recommended_estimate('x', 'bug'"
    assert tuple(await sql.fetchrow(f"{ask}, own_minutes => {own})")) == ("none", None, 0)
    await finish(30, own=60)
    plain = await sql.fetchrow(f"{ask}, own_minutes => NULL)")
    assert await sql.fetchrow(f"{ask}, own_minutes => {own})") == plain
    assert await sql.fetchrow(f"{ask}, complexity => {own}::real, as_of => 'infinity')") == plain


async def test_few_tasks_are_said_to_be_few(timing: Timing, finish) -> None:
    await finish(0.001, own=0.001)
    found = await timing.recommend(Task(kind="bug", own_minutes=5_256_000))
    assert "take the numbers as a guess" in found.summary
    assert "come out at" not in found.summary


async def test_extremes_are_estimated(timing: Timing, finish) -> None:
    await finish(0.001, 5_256_000, 60, own=60)
    await finish(*[30] * 30, own=30)
    for task in (
        Task(own_minutes=0.001),
        Task(own_minutes=5_256_000),
        Task(kind="bug", title="ß " * 250, complexity=100),
    ):
        found = await timing.recommend(task)
        levels = (found.p50_minutes, found.p80_minutes, found.p95_minutes)
        told = [minutes for minutes in levels if minutes is not None]
        assert told
        assert told == sorted(told)
        assert 0 <= told[0] <= told[-1] < float("inf")
