"""The clock of a work item runs while somebody holds it, and not beyond the lease."""

from __future__ import annotations

import asyncpg
import pytest

from undercroft.errors import Conflict, NotFound
from undercroft.timing.models import Execution, Task
from undercroft.timing.service import Timing
from undercroft.work.service import Work

EARLIER = """
WITH items AS (
    UPDATE workflow.work_items SET claim_until = claim_until - make_interval(mins => $2)
    WHERE claim_until IS NOT NULL
)
UPDATE workflow.time_tracking_sessions
SET started_at = started_at - make_interval(mins => $1),
    expires_at = expires_at - make_interval(mins => $2)
WHERE ended_at IS NULL
"""
"""Time passes: the claim was made so many minutes earlier, its lease ends so much earlier."""


async def worked(
    work: Work, sql: asyncpg.Connection, item: str, minutes: int, status: str = ""
) -> None:
    """The item is claimed, worked on for so long, and closed."""
    claim = await work.claim(item, agent="one")
    await sql.execute(EARLIER, minutes, 0)
    await work.finish(item, epoch=claim.epoch, status=status)


async def clock(timing: Timing, item: str) -> Execution:
    [found] = [one for one in (await timing.page()).items if one.item == item]
    return found


async def test_a_claim_starts_the_clock_and_a_completion_stops_it(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {"labels": ["roof"]})).id
    claim = await work.claim(item, agent="one", ttl=3600)
    running = await clock(timing, item)
    assert (running.status, running.title, running.asker) == ("running", "Mend the roof", "ada")
    await sql.execute(EARLIER, 30, 0)
    await work.renew(item, claim.epoch, 7200)
    await work.finish(item, epoch=claim.epoch)
    done = await clock(timing, item)
    assert done.status == "finished"
    assert done.minutes == pytest.approx(30, abs=0.5)


async def test_what_passes_after_a_lost_lease_is_nobodys_work(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    await work.claim(item, agent="one", ttl=1200)
    # Twenty minutes of lease, all over by now, and forty more in which nobody held it.
    await sql.execute(EARLIER, 60, 60)
    again = await work.claim(item, agent="two", ttl=1200)
    await sql.execute(EARLIER, 10, 0)
    await work.finish(item, epoch=again.epoch)
    assert (await clock(timing, item)).minutes == pytest.approx(30, abs=0.5)


async def test_given_back_it_stands_still_and_dropped_it_teaches_nothing(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    claim = await work.claim(item, agent="one")
    await sql.execute(EARLIER, 5, 0)
    await work.release(item, claim.epoch)
    assert (await clock(timing, item)).status == "paused"
    again = await work.claim(item, agent="one")
    await work.finish(item, epoch=again.epoch, status="cancelled")
    assert (await clock(timing, item)).status == "abandoned"


async def test_an_item_that_nobody_claimed_has_no_clock(work: Work, timing: Timing) -> None:
    item = (await work.create("Mend the roof", "", {})).id
    await work.finish(item)
    assert (await timing.page()).items == []
    with pytest.raises(NotFound):
        await timing.stop(item)


async def test_an_item_at_every_limit_is_claimed_and_finished(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    kind = "k" * 48
    statuses = [("new", "todo"), ("at_it", "doing"), ("over", "done")]
    await work.define_kind(kind, [{"status": one, "category": two} for one, two in statuses])
    labels = [f"{number:03}" + "x" * 97 for number in reversed(range(100))]
    fields = {"kind": kind, "labels": labels, "estimate": 5_256_000, "assignee": "x" * 200}
    item = (await work.create("x" * 500, "", fields)).id
    claim = await work.claim(item, agent="x" * 200)
    await work.finish(item, epoch=claim.epoch)
    done = await clock(timing, item)
    assert (done.status, done.kind, done.labels) == ("finished", kind, sorted(labels))
    found = await timing.recommend(Task(title="x" * 500, kind=kind, labels=labels))
    assert found.alike == 1


async def test_what_an_item_was_estimated_to_take_is_learned_from(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    for _ in range(5):
        item = (await work.create("Mend the roof", "", {"estimate": 120})).id
        await worked(work, sql, item, 30)
    found = await timing.recommend(Task(title="Mend the roof", kind="task", own_minutes=120))
    assert (found.basis, found.tasks) == ("calibrated", 5)
    assert found.p50_minutes == pytest.approx(30, abs=0.5)
    assert "Estimates like yours (2 h) come out at 0.25 times that." in found.summary


async def test_an_estimate_and_a_complexity_may_come_after_the_claim(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    early = (await work.create("Mend the roof", "", {"estimate": 60})).id
    late = (await work.create("Mend the wall")).id
    for item in (early, late):
        claim = await work.claim(item, agent="one")
        await work.update(item, {"estimate": 45}, epoch=claim.epoch)
        await work.review(item, "propose", content="So", complexity=3, agent="one")
        await work.review(item, "approve", complexity=4, agent="two")
        await work.finish(item, epoch=claim.epoch)
    assert [(await clock(timing, item)).estimated_minutes for item in (early, late)] == [60, 45]
    assert [(await clock(timing, item)).complexity for item in (early, late)] == [3.5, 3.5]


async def test_one_side_of_a_review_alone_says_how_complex_it_is(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await work.review(item, "propose", content="So", agent="one")
    await work.review(item, "approve", complexity=4, agent="two")
    await work.claim(item, agent="one")
    assert (await clock(timing, item)).complexity == 4


REOPENED = "UPDATE workflow.work_items SET status = 'pending', version = version + 1 WHERE id = $1"


async def reopen(work: Work, sql: asyncpg.Connection, item: str, way: str) -> None:
    """The closed item is open again."""
    version = (await work.get(item)).version
    if way == "update":
        await work.update(item, {"status": "pending"}, version)
    elif way == "undo":
        await work.undo(item, version)
    else:
        await sql.execute(REOPENED, item)


@pytest.mark.parametrize("way", ["update", "undo", "sql"])
@pytest.mark.parametrize("status", ["", "cancelled"])
async def test_an_item_that_is_opened_again_goes_on_with_its_clock(
    work: Work, timing: Timing, sql: asyncpg.Connection, way: str, status: str
) -> None:
    for minutes in (7, 11):
        await timing.record(Task(own_minutes=10), minutes)
    item = (await work.create("Mend the roof", "", {"estimate": 20})).id
    await worked(work, sql, item, 30, status)
    before = await clock(timing, item)
    await reopen(work, sql, item, way)
    again = await clock(timing, item)
    assert (again.timer, again.status, again.variance_percent) == (before.timer, "paused", None)
    assert again.minutes == pytest.approx(30, abs=0.5)
    assert (await timing.report()).patterns[0].tasks == 2
    await worked(work, sql, item, 10)
    assert (await clock(timing, item)).minutes == pytest.approx(40, abs=0.5)
    await the_patterns_are_right(sql)


async def test_the_only_task_of_its_kind_leaves_no_pattern(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await worked(work, sql, item, 30)
    await reopen(work, sql, item, "undo")
    assert (await timing.report()).patterns == []
    assert (await timing.recommend(Task(title="Mend the roof"))).basis == "none"


async def the_patterns_are_right(sql: asyncpg.Connection) -> None:
    """As what SQL computes from the finished tasks at once."""
    kept = await sql.fetchrow(
        "SELECT tasks, estimated_tasks, log_minutes_mean, log_minutes_m2, log_ratio_mean,"
        " log_ratio_m2 FROM workflow.estimation_patterns"
    )
    computed = await sql.fetchrow(
        "SELECT count(*), count(estimated_minutes), avg(ln(actual_minutes)),"
        " var_pop(ln(actual_minutes)) * count(*), avg(ln(actual_minutes / estimated_minutes)),"
        " var_pop(ln(actual_minutes / estimated_minutes)) * count(estimated_minutes)"
        " FROM workflow.task_executions WHERE status = 'finished'"
    )
    assert list(kept) == pytest.approx(list(computed), abs=1e-9)


async def test_what_was_recorded_by_hand_stays_when_its_item_is_opened_again(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await timing.record(Task(title="Mend the roof"), 25, item=item)
    await work.finish(item)
    await reopen(work, sql, item, "undo")
    done = await clock(timing, item)
    assert (done.status, done.minutes) == ("finished", 25)


async def test_an_item_that_is_deleted_as_it_opens_keeps_its_time(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await worked(work, sql, item, 30)
    await sql.execute(
        "UPDATE workflow.work_items SET status = 'pending', deleted_at = clock_timestamp(),"
        " version = version + 1"
    )
    assert (await clock(timing, item)).status == "finished"


async def test_labels_tell_claimed_tasks_apart_in_whatever_order(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    for other, minutes in (("core", 30), ("zzz", 300)):
        for _ in range(5 if other == "core" else 7):
            item = (await work.create("Mend it", "", {"labels": ["net", other]})).id
            await worked(work, sql, item, minutes)
    for labels in (["net", "core"], ["core", "net"]):
        found = await timing.recommend(Task(title="Mend it", kind="task", labels=labels))
        assert found.p50_minutes == pytest.approx(30, abs=0.5)


async def test_a_plain_statement_that_closes_or_deletes_stops_the_clock(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    done, lapsed = [(await work.create("Mend it")).id for _ in range(2)]
    for item in (done, lapsed):
        await work.claim(item, agent="one", ttl=1200)
    await sql.execute(EARLIER, 60, 60)
    await sql.execute(
        "UPDATE workflow.work_items SET status = 'completed', version = version + 1 WHERE id = $1",
        done,
    )
    await work.delete(lapsed, (await work.get(lapsed)).version)
    assert (await clock(timing, done)).status == "finished"
    assert (await clock(timing, lapsed)).status == "paused"
    ended = "SELECT bool_and(ended_at = expires_at) FROM workflow.time_tracking_sessions"
    assert await sql.fetchval(ended)


async def test_nothing_else_of_a_finished_task_is_rewritten(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await worked(work, sql, item, 30)
    opened = "status = 'open', finished_at = NULL, actual_minutes = NULL"
    for change in (opened, "actual_minutes = 1", "status = 'abandoned', actual_minutes = NULL"):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="keeps its time"):
            await sql.execute(f"UPDATE workflow.task_executions SET {change}")
    # Not even where its item is open.
    other = (await work.create("Mend the wall")).id
    await timing.start(Task(title="Mend the wall"), item=other)
    await timing.stop(other)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="keeps its time"):
        await sql.execute(
            f"UPDATE workflow.task_executions SET {opened}, asker = 'bob' WHERE work_item_id = $1",
            other,
        )


async def test_the_clock_of_a_held_item_is_the_claims(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    claim = await work.claim(item, agent="one", ttl=1200)
    timer = str((await clock(timing, item)).timer)
    for name in (item, timer):
        with pytest.raises(Conflict, match="The claim keeps this clock") as refused:
            await timing.stop(name)
        assert "estimate" in refused.value.hint
        with pytest.raises(Conflict, match="The claim keeps this clock"):
            await timing.resume(name)
    with pytest.raises(Conflict, match="The claim keeps this clock"):
        await timing.start(Task(title="Mine"), item=item)
    await work.release(item, claim.epoch)
    assert (await timing.resume(item)).status == "running"
    assert (await timing.stop(item)).status == "finished"


async def test_after_the_lease_its_clock_is_stopped_by_hand_where_the_lease_ended(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await work.claim(item, agent="one", ttl=1200)
    await sql.execute(EARLIER, 60, 60)
    assert (await timing.stop(item)).minutes == pytest.approx(20, abs=0.5)


async def test_no_clock_starts_for_what_is_closed_or_not_there(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await timing.start(Task(), item=item)
    await timing.stop(item, "paused")
    await work.delete(item, (await work.get(item)).version)
    for attempt in (timing.start(Task(), item=item), timing.resume(item)):
        with pytest.raises(Conflict, match="closed or deleted"):
            await attempt
    closed = (await work.create("Mend the wall")).id
    await work.finish(closed)
    with pytest.raises(Conflict, match="closed or deleted"):
        await timing.start(Task(), item=closed)
    with pytest.raises(NotFound, match="no such work item"):
        await timing.start(Task(), item="w-doesnotexist")


async def test_a_clock_started_by_hand_runs_on_when_its_item_is_begun(
    work: Work, timing: Timing, sql: asyncpg.Connection
) -> None:
    item = (await work.create("Mend the roof")).id
    await timing.start(Task(), item=item)
    await work.update(item, {"status": "in_progress"}, 1)
    assert (await clock(timing, item)).status == "running"
    await work.update(item, {"status": "deferred"}, 2)
    assert (await clock(timing, item)).status == "paused"
