"""Claims: one agent's for a while, and nothing of it once the while is over."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work

OVER = (
    "UPDATE workflow.work_items SET claim_until = clock_timestamp() - interval '1 second'"
    " WHERE claim_until IS NOT NULL"
)


async def test_the_best_ready_item_is_claimed_and_no_two_get_the_same(work: Work, make) -> None:
    ids = [await make(f"task {n}", priority=n % 5) for n in range(20)]
    claims = await asyncio.gather(*(work.claim(agent=f"agent {n}") for n in range(20)))
    assert {one.id for one in claims} == set(ids)
    assert {one.epoch for one in claims} == {1}
    assert {one.status for one in claims} == {"in_progress"}
    with pytest.raises(NotFound, match="Nothing is ready"):
        await work.claim()


async def test_a_claim_waits_for_nobody(work: Work, make, sql: asyncpg.Connection) -> None:
    first, second = await make("first", priority=0), await make("second", priority=1)
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute("SELECT FROM workflow.work_items WHERE id = $1 FOR UPDATE", first)
    async with asyncio.timeout(5):
        assert (await work.claim()).id == second
    await transaction.rollback()


async def test_under_a_claim_only_its_epoch_writes(work: Work, make) -> None:
    item = await make("task")
    claim = await work.claim(item, agent="ada")
    with pytest.raises(Conflict, match="ada holds"):
        await work.update(item, {"title": "mine"}, version=claim.version)
    with pytest.raises(Conflict, match="ada holds"):
        await work.finish(item)
    with pytest.raises(Conflict, match="ada holds"):
        await work.claim(item, agent="bob")
    with pytest.raises(Conflict):
        await work.finish(item, epoch=claim.epoch + 1)
    changed = await work.update(item, {"title": "hers"}, epoch=claim.epoch)
    assert changed.version == claim.version + 1
    await work.comment(item, "may I?", "bob")
    done = await work.finish(item, epoch=claim.epoch, outcome="merged")
    assert done.status == "completed"
    with pytest.raises(Conflict, match="has ended"):
        await work.finish(item, epoch=claim.epoch)
    with pytest.raises(Conflict, match="completed already"):
        await work.finish(item)


async def test_who_was_away_past_his_time_cannot_complete_what_another_has(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    item = await make("task")
    lost = await work.claim(agent="ada")
    await sql.execute(OVER)
    [offered] = await work.ready()
    assert offered.reason.startswith("ada began it and let the claim run out")
    with pytest.raises(Conflict, match="time of your claim"):
        await work.finish(item, epoch=lost.epoch)
    with pytest.raises(Conflict, match="time of your claim"):
        await work.renew(item, lost.epoch)
    mine = await work.claim(agent="bob")
    assert (mine.id, mine.epoch) == (item, lost.epoch + 1)
    for late in (
        work.finish(item, epoch=lost.epoch),
        work.update(item, {"outcome": "late"}, epoch=lost.epoch),
        work.move(item, epoch=lost.epoch),
        work.renew(item, lost.epoch),
        work.release(item, lost.epoch),
        work.undo(item, mine.version, epoch=lost.epoch),
    ):
        with pytest.raises(Conflict, match="bob has claimed"):
            await late
    assert (await work.finish(item, epoch=mine.epoch)).status == "completed"


async def test_a_heartbeat_lengthens_and_leaves_no_version(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    item = await make("task")
    claim = await work.claim(item, ttl=5)
    longer = await work.renew(item, claim.epoch, ttl=500)
    assert longer.until > claim.until
    assert longer.version == claim.version
    left = await sql.fetchval(
        "SELECT extract(epoch FROM claim_until - clock_timestamp()) FROM workflow.work_items"
    )
    assert 490 < left <= 500


async def test_what_is_given_back_is_ready_again_under_a_new_epoch(work: Work, make) -> None:
    item = await make("task")
    first = await work.claim(agent="ada")
    await work.release(item, first.epoch)
    second = await work.claim(agent="ada")
    back = await work.finish(item, epoch=second.epoch, status="pending")
    assert back.status == "pending"
    third = await work.claim(agent="bob")
    assert [one.epoch for one in (first, second, third)] == [1, 2, 3]
    with pytest.raises(Conflict):
        await work.release(item, third.epoch - 1)
    assert (await work.release(item, force=True)).status == "pending"
    assert await work.claims() == []


async def test_only_what_can_be_started_is_given(work: Work, make) -> None:
    epic = await make("epic", kind="epic")
    child = await make("child", epic, labels=["db", "fast"])
    blocked = await make("blocked")
    await work.link(child, "blocks", blocked)
    other = await make("other's", assignee="bob")
    with pytest.raises(Conflict, match="waits for other work"):
        await work.claim(blocked)
    with pytest.raises(NotFound):
        await work.claim(agent="ada", where={"labels": ["slow"]})
    assert (await work.claim(agent="ada", where={"under": epic})).id == child
    with pytest.raises(NotFound):
        await work.claim(agent="ada")
    assert (await work.claim(agent="bob")).id == other
    with pytest.raises(InvalidInput, match="no condition 'colour'"):
        await work.claim(where={"colour": "red"})
    with pytest.raises(InvalidInput, match="ttl"):
        await work.claim(ttl=float("nan"))


async def test_what_somebody_holds_cannot_be_deleted_from_above(work: Work, make) -> None:
    epic = await make("epic", kind="epic")
    await make("child", epic)
    claim = await work.claim(agent="ada")
    with pytest.raises(Conflict, match="holds it, or an item beneath"):
        await work.delete(epic, 1)
    await work.finish(claim.id, epoch=claim.epoch)
    assert (await work.delete(epic, 1)).items == 2


async def test_a_claim_that_ran_out_stays_on_offer_whoever_writes_meanwhile(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    item = await make("task")
    lost = await work.claim(agent="ada")
    await sql.execute(OVER)
    await work.update(item, {"labels": ["seen"]}, lost.version)
    assert [one.id for one in await work.ready()] == [item]
    mine = await work.claim(agent="bob")
    await work.finish(item, mine.epoch)
    back = await work.undo(item, mine.version + 1)
    assert back.status == "pending"
    assert [one.id for one in await work.ready()] == [item]


async def test_the_database_gives_each_claim_an_epoch_of_its_own(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    item = await make("task")
    await work.claim(agent="ada")
    change = "UPDATE workflow.work_items SET {}, version = version + 1"
    hour = "claim_until = clock_timestamp() + interval '1 hour'"
    with pytest.raises(asyncpg.PostgresError, match="next epoch"):
        await sql.execute(change.format(f"claim_holder = 'bob', claim_epoch = 2, {hour}"))
    await sql.execute(OVER)
    for stolen in (
        f"claim_holder = 'bob', {hour}",
        f"claim_holder = 'bob', claim_epoch = 3, {hour}",
        "claim_epoch = 0",
    ):
        with pytest.raises(asyncpg.PostgresError, match="next epoch"):
            await sql.execute(change.format(stolen))
    with pytest.raises(asyncpg.PostgresError, match="claim is over"):
        await sql.execute(f"UPDATE workflow.work_items SET {hour}")
    with pytest.raises(asyncpg.PostgresError, match="adds one to the version"):
        await sql.execute("UPDATE workflow.work_items SET description = 'unseen'")
    await sql.execute(change.format("category = 'done'"))
    assert await sql.fetchval("SELECT category FROM workflow.work_items") == "doing"
    await sql.execute(change.format(f"claim_holder = 'bob', claim_epoch = 2, {hour}"))
    with pytest.raises(Conflict, match="bob has claimed"):
        await work.finish(item, epoch=1)


async def test_what_is_held_is_moved_by_its_holder_only(work: Work, make) -> None:
    item, other = await make("task"), await make("other")
    claim = await work.claim(item, agent="ada")
    with pytest.raises(InvalidInput, match="Give the version"):
        await work.move(item, parent=other)
    with pytest.raises(Conflict, match="ada holds"):
        await work.move(item, parent=other, version=claim.version)
    moved = await work.move(item, parent=other, epoch=claim.epoch)
    await work.finish(item, claim.epoch)
    with pytest.raises(Conflict, match=f"version {moved.version + 1}"):
        await work.move(item, version=moved.version)


async def test_conditions_that_a_question_does_not_know_are_refused(work: Work, make) -> None:
    top = await make("top")
    for ask, where in (
        (work.ready, {"parent": top}),
        (work.ready, {"status": ["completed"]}),
        (work.query, {"under": top}),
        (work.claim, {"assignee": "zoe"}),
    ):
        with pytest.raises(InvalidInput, match="no condition"):
            await ask(where=where)
    with pytest.raises(InvalidInput, match="leave it out"):
        await work.claim(top, where={"kind": "task"})
    with pytest.raises(NotFound):
        await work.release("w-nobody00", force=True)


@pytest.mark.parametrize("write", ["finish", "update", "move"])
async def test_a_claim_that_runs_out_while_its_write_waits_is_over(
    work: Work, make, sql: asyncpg.Connection, other: asyncpg.Connection, write: str
) -> None:
    item, waiting = await make("item"), await make("waiting")
    await work.link(item, "blocks", waiting)
    hold = sql.transaction()
    await hold.start()
    await sql.execute("UPDATE workflow.work_graph SET changes = changes + 1")
    claim = await work.claim(item, ttl=0.5)
    late = asyncio.create_task(
        {
            "finish": lambda: work.finish(item, claim.epoch),
            "update": lambda: work.update(item, {"status": "completed"}, epoch=claim.epoch),
            "move": lambda: work.move(item, after=waiting, epoch=claim.epoch),
        }[write]()
    )
    blocked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    while not await other.fetchval(blocked):
        assert not late.done()
    while not await other.fetchval("SELECT clock_timestamp() > $1::timestamptz", claim.until):
        assert not late.done()
    await hold.commit()
    with pytest.raises(Conflict, match="time of your claim"):
        await late
    assert (await work.get(item)).status == "in_progress"
