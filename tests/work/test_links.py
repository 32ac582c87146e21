"""What waits for what: counted, without circles, whoever writes at the same moment."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise

import asyncpg
import pytest

from undercroft.db.queries import Query
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work
from undercroft.work.store import SQL as ITEMS
from undercroft.work.tree import SQL as TREE

COUNTED = """
SELECT i.title FROM workflow.work_items AS i WHERE i.open_blockers <> (
    SELECT count(*) FROM workflow.work_links AS l
    JOIN workflow.work_items AS s ON s.id = l.source_id
    WHERE l.target_id = i.id AND l.type = 'blocks' AND l.removed_at IS NULL AND s.is_open)
  + coalesce((SELECT (p.open_blockers > 0)::int FROM workflow.work_items AS p
              WHERE p.id = i.parent_id), 0)
"""

REOPEN, CLOSE = '{"status": "pending"}', '{"status": "completed"}'
# Version 0, epoch 0: whoever changed it before.
CHANGES: tuple[tuple[Query, tuple[object, ...]], ...] = (
    *[(ITEMS.insert_link, ("a", "blocks", "b", "test"))] * 4,
    (ITEMS.remove_link, ("a", "blocks", "b", "test")),
    *[(ITEMS.finish_item, ("a", 0, "", "", "test"))] * 4,
    *[(ITEMS.update_item, ("a", REOPEN, 0, 0, "test"))] * 3,
    (ITEMS.update_item, ("a", CLOSE, 0, 0, "test")),
    (ITEMS.archive_item, ("a", True, "test")),
    (ITEMS.delete_item, ("a", 1, "test", "")),
    (ITEMS.restore_item, ("a", 2, "test", "")),
    (ITEMS.insert_item, ("a", '{"title": "another"}', "test")),
    *[(TREE.move_item, ("a", "b", "", "", 0, 0, "test"))] * 2,
    (TREE.move_item, ("a", None, "", "", 0, 0, "test")),
)


async def ready(work: Work) -> set[str]:
    return {one.title for one in await work.ready(limit=100)}


async def test_ready_is_what_nothing_blocks_ranked_with_a_reason(work: Work, make) -> None:
    low = await make("low", priority=3)
    urgent = await make("urgent", priority=0, due="2020-01-01T00:00:00Z")
    waiting = await make("waiting", priority=0)
    await work.link(low, "blocks", waiting)
    found = await work.ready()
    assert [one.title for one in found] == ["urgent", "low"]
    assert found[0].reason.startswith("priority 0; overdue by ")
    assert found[1].reason == "priority 3; 1 others wait for it; nothing blocks it"
    [blocked] = (await work.blocked()).items
    assert (blocked.id, blocked.blocked_by) == (waiting, [f"task:{low} low"])
    await work.finish(low)
    await work.finish(urgent)
    assert await ready(work) == {"waiting"}
    assert (await work.blocked()).items == []


async def test_a_blocker_that_is_reopened_deleted_or_restored_counts_as_it_stands(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    blocker, waiting = await make("blocker"), await make("waiting")
    await work.link(waiting, "blocked_by", blocker)
    done = await work.finish(blocker)
    assert await ready(work) == {"waiting"}
    again = await work.update(blocker, {"status": "pending"}, done.version)
    assert await ready(work) == {"blocker"}
    await work.delete(blocker, again.version)
    assert await ready(work) == {"waiting"}
    await work.restore(blocker, again.version + 1)
    assert await ready(work) == {"blocker"}
    ended = await work.link(blocker, "blocks", waiting, remove=True)
    assert (ended.linked, ended.changed) == (False, True)
    assert await ready(work) == {"blocker", "waiting"}
    assert await sql.fetch(COUNTED) == []


async def test_no_circle_of_any_length_closes(work: Work, make) -> None:
    ids = [await make(str(n)) for n in range(6)]
    for before, after in pairwise(ids):
        await work.link(before, "blocks", after)
    for last in ids[1:]:
        with pytest.raises(Conflict, match="wait for itself"):
            await work.link(last, "blocks", ids[0])
    await work.link(ids[0], "discovered_from", ids[1])
    with pytest.raises(Conflict):
        await work.link(ids[1], "discovered_from", ids[0])


async def test_an_item_waits_neither_for_what_is_beneath_it_nor_for_what_it_lies_in(
    work: Work, make
) -> None:
    top = await make("top")
    child = await make("child", top)
    leaf = await make("leaf", child)
    for source, target in ((leaf, top), (top, leaf), (child, leaf), (leaf, child)):
        with pytest.raises(Conflict, match="wait for itself"):
            await work.link(source, "blocks", target)
    # Siblings, and cousins both ways between two parents, are no circle.
    other = await make("other")
    cousin, second = await make("cousin", other), await make("second", other)
    niece = await make("niece", top)
    await work.link(leaf, "blocks", cousin)
    await work.link(second, "blocks", niece)
    with pytest.raises(Conflict, match="wait for itself"):
        await work.link(other, "blocks", leaf)


async def test_a_move_that_would_close_a_circle_is_refused(work: Work, make, move) -> None:
    first, second = await make("first"), await make("second")
    child = await make("child", first)
    await work.link(first, "blocks", second)
    # Out of what blocks into what is blocked: no circle once it has moved.
    await move(child, parent=second)
    blocker = await make("blocker")
    await work.link(second, "blocks", blocker)
    with pytest.raises(Conflict, match="wait for itself"):
        await move(blocker, parent=second)


async def test_of_two_links_that_close_a_circle_together_one_is_refused(
    work: Work, make, sql: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    a, b = await make("a"), await make("b")
    insert = (
        "INSERT INTO workflow.work_links (source_id, type, target_id) VALUES ($1, 'blocks', $2)"
    )
    for isolation in ("read_committed", "repeatable_read"):
        first = sql.transaction()
        await first.start()
        second = other.transaction(isolation=isolation)
        await second.start()
        await other.fetch("SELECT count(*) FROM workflow.work_links")
        await sql.execute(insert, a, b)
        waiting = asyncio.create_task(other.execute(insert, b, a))
        pid = other.get_server_pid()
        blocked = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $1"
        while not await sql.fetchval(blocked, pid):
            await sql.execute("SELECT pg_stat_clear_snapshot()")
        await first.commit()
        with pytest.raises(asyncpg.PostgresError) as refused:
            await waiting
        assert refused.value.sqlstate in ("UC305", "40001")
        await second.rollback()
        await work.link(a, "blocks", b, remove=True)


async def test_a_link_that_meets_the_end_of_its_blocker_counts_right(
    work: Work, make, sql: asyncpg.Connection, other: asyncpg.Connection
) -> None:
    a, b = await make("a"), await make("b")
    transaction = sql.transaction()
    await transaction.start()
    await sql.execute(
        "UPDATE workflow.work_items SET status = 'completed', version = version + 1 WHERE id = $1",
        a,
    )
    linking = asyncio.create_task(work.link(a, "blocks", b))
    blocked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    while not await other.fetchval(blocked):
        assert not linking.done()
    await transaction.commit()
    assert (await linking).changed
    assert await sql.fetch(COUNTED) == []
    assert await ready(work) == {"b"}


async def test_no_two_changes_wait_for_each_other(work: Work, make, app, project, connect) -> None:
    """Bare statements, which nothing tries again: a deadlock would be seen."""
    ids = [await make(str(n)) for n in range(16)]
    ids += [await make(f"under {n}", parent=ids[n]) for n in range(16)]
    name = (await app.open(project)).database.name
    met: Counter[str] = Counter()

    async def worker(number: int) -> None:
        client, chance = await connect(name), random.Random(number)  # noqa: S311 - no secret
        for _ in range(60):
            query, args = chance.choice(CHANGES)
            a, b = chance.sample(ids, 2)
            given = [a if arg == "a" else b if arg == "b" else arg for arg in args]
            try:
                await client.fetch(query.text, *given)
            except asyncpg.PostgresError as error:
                met[str(error.sqlstate)] += 1

    await asyncio.gather(*map(worker, range(8)))
    refused = {state for state in met if not state.startswith("UC3")}
    assert refused <= {"40001", "23505"}  # outrun, or moved to the same place; never 40P01
    assert met["40001"] < 8 * 60 / 4
    bare = await connect(name)
    assert await bare.fetch(COUNTED) == []
    assert await bare.fetchval("SELECT changes FROM workflow.work_graph") > 8


async def test_links_made_and_blockers_finished_at_once_leave_right_counts(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    ids = [await make(str(n)) for n in range(16)]
    pairs = [(n, m) for n in range(16) for m in range(8, 16) if n < m]

    async def link(n: int) -> None:
        for m in [m for source, m in pairs if source == n]:
            await work.link(ids[n], "blocks", ids[m])

    await asyncio.gather(*map(link, range(16)), *(work.finish(ids[n]) for n in range(8)))
    assert await sql.fetch(COUNTED) == []
    assert await sql.fetchval("SELECT count(*) FROM workflow.work_links") == len(pairs)


async def test_what_waits_is_finished_only_by_who_began_before(work: Work, make) -> None:
    blocker, waiting, begun = await make("blocker"), await make("waiting"), await make("begun")
    claim = await work.claim(begun)
    for one in (waiting, begun):
        await work.link(blocker, "blocks", one)
    with pytest.raises(Conflict, match="waits for other work"):
        await work.finish(waiting)
    with pytest.raises(Conflict, match="waits for other work"):
        await work.update(waiting, {"status": "completed"}, version=1)
    assert (await work.finish(begun, claim.epoch)).status == "completed"
    assert (await work.finish(waiting, status="cancelled")).status == "cancelled"


async def test_a_link_is_made_or_ended_and_nothing_else(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    a, b = await make("a"), await make("b")
    await work.link(a, "blocks", b)
    await work.link(a, "blocks", b, remove=True)
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await sql.execute("UPDATE workflow.work_links SET removed_at = NULL")


async def test_what_cannot_be_linked_is_said(work: Work, make) -> None:
    a, b = await make("a"), await make("b")
    with pytest.raises(InvalidInput, match="no link 'follows'"):
        await work.link(a, "follows", b)
    with pytest.raises(InvalidInput, match="with itself"):
        await work.link(a, "blocks", f"task:{a}")
    with pytest.raises(NotFound):
        await work.link(a, "blocks", "w-nobody00")
    first, again = await work.link(b, "relates", a), await work.link(a, "relates", b)
    assert (first.changed, again.changed) == (True, False)
    assert [one["type"] for one in (await work.get(a)).links] == ["relates"]
