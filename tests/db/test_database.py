"""A database as services see it: transactions, lost connections, translated errors."""

from __future__ import annotations

import asyncio
import struct
from contextlib import suppress
from dataclasses import replace

import pytest

from undercroft.db.database import Database
from undercroft.errors import (
    Conflict,
    InvalidInput,
    LimitReached,
    OutcomeUnknown,
    Unavailable,
    UndercroftError,
)

# Asleep in the statement itself: a session is also active in its BEGIN or its first insert.
RUNNING = "application_name = 'undercroft' AND state = 'active' AND wait_event = 'PgSleep'"


async def test_rows_values_and_counts_arrive(desk, query) -> None:
    for number in (1, 2, 3):
        await desk.database.execute(query("INSERT INTO note VALUES ($1, $2)"), f"n{number}", number)
    rows = await desk.database.fetch(query("SELECT text FROM note WHERE number > $1"), 1)
    assert [row["text"] for row in rows] == ["n2", "n3"]
    assert await desk.database.fetch_value(query("SELECT count(*) FROM note")) == 3
    assert await desk.database.fetch_row(query("SELECT FROM note WHERE number = 9")) is None
    assert await desk.database.execute(query("DELETE FROM note WHERE number < 3")) == 2
    assert desk.database.name == desk.name


async def test_what_is_done_in_a_transaction_is_done_together_or_not_at_all(desk) -> None:
    async def fail() -> None:
        async with desk.database.transaction() as transaction:
            await desk.write("a", through=transaction)
            await desk.write("b", through=transaction)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await desk.notes() == []
    async with desk.database.transaction() as transaction:
        await desk.write("a", through=transaction)
        assert await desk.notes() == []
    assert await desk.notes() == ["a"]


async def test_a_transaction_inside_another_is_a_savepoint(desk) -> None:
    async def fail(outer: Database) -> None:
        async with outer.transaction() as inner:
            await desk.write("inner", through=inner)
            await desk.write("inner", through=inner)

    async with desk.database.transaction() as outer:
        await desk.write("before", through=outer)
        with pytest.raises(Conflict):
            await fail(outer)
        await desk.write("after", through=outer)
    assert await desk.notes() == ["after", "before"]


async def test_a_cancelled_transaction_leaves_nothing(desk) -> None:
    async def linger() -> None:
        async with desk.database.transaction() as transaction:
            await desk.write("a", through=transaction)
            await transaction.fetch_text("SELECT pg_sleep(60)")

    task = asyncio.create_task(linger())
    await desk.sessions.until(1, RUNNING)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await desk.sessions.until(0, RUNNING)
    await desk.sessions.until(0, "state LIKE 'idle in transaction%'")
    assert await desk.notes() == []


async def test_a_read_that_lost_its_connection_is_done_once_more(desk) -> None:
    await desk.write("a")
    reading = asyncio.create_task(
        desk.database.fetch_text("SELECT pg_backend_pid(), pg_sleep(0.2) FROM note")
    )
    await desk.sessions.until(1, RUNNING)
    before = set(desk.sessions.pids)
    assert await desk.kill(RUNNING) == 1
    ((pid, _),) = await reading
    assert pid not in before


async def test_a_read_that_loses_two_connections_gives_up(desk) -> None:
    await desk.write("a")
    reading = asyncio.create_task(desk.database.fetch_text("SELECT pg_sleep(60)"))
    for _ in range(2):
        await desk.sessions.until(1, RUNNING)
        assert await desk.kill(RUNNING) == 1
    with pytest.raises(Unavailable, match="connection to PostgreSQL broke"):
        await reading


async def test_a_write_that_lost_its_connection_has_an_unknown_outcome(desk, query) -> None:
    insert = query("INSERT INTO note (text) SELECT $1 FROM pg_sleep(60)")
    writing = asyncio.create_task(desk.database.execute(insert, "a"))
    await desk.sessions.until(1, RUNNING)
    assert await desk.kill(RUNNING) == 1
    with pytest.raises(OutcomeUnknown):
        await writing
    assert await desk.notes() == []
    await desk.write("a")


async def test_a_transaction_that_lost_its_connection_before_its_end_did_nothing(desk) -> None:
    async def linger() -> None:
        async with desk.database.transaction() as transaction:
            await desk.write("a", through=transaction)
            await transaction.fetch_text("SELECT pg_sleep(60)")

    task = asyncio.create_task(linger())
    await desk.sessions.until(1, RUNNING)
    assert await desk.kill(RUNNING) == 1
    with pytest.raises(Unavailable):
        await task
    assert await desk.notes() == []
    assert desk.pools.budget.used == 0


async def test_a_connection_lost_during_commit_leaves_doubt(desk) -> None:
    await desk.outside.execute(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;"
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION wait()"
    )

    async def commit() -> None:
        async with desk.database.transaction() as transaction:
            await desk.write("a", through=transaction)

    task = asyncio.create_task(commit())
    await desk.sessions.until(1, f"{RUNNING} AND query LIKE 'COMMIT%'")
    assert await desk.kill(RUNNING) == 1
    with pytest.raises(OutcomeUnknown):
        await task


async def test_a_statement_over_its_deadline_is_stopped_and_nothing_of_it_stays(
    desk, limits, query
) -> None:
    await desk.database.fetch_text("SELECT 1")  # the first connection looks for a pooler
    pool = desk.pools.pool(desk.name + "_", limits)
    pool.database, pool.limits = desk.name, replace(limits, command_timeout=0.05)
    hasty = Database(pool)
    with pytest.raises(LimitReached):
        await hasty.fetch_text("SELECT pg_sleep(60)")
    with pytest.raises(LimitReached):
        await hasty.execute(query("INSERT INTO note (text) SELECT 'a' FROM pg_sleep(60)"))
    await desk.sessions.until(0, RUNNING)
    assert await desk.notes() == []
    assert (pool.size, pool.idle) == (1, 1)


async def test_a_session_of_its_own_has_a_deadline_of_its_own(desk, limits) -> None:
    await desk.database.fetch_text("SELECT 1")  # the first connection looks for a pooler
    pool = desk.pools.pool(desk.name + "_", limits)
    pool.database, pool.limits = desk.name, replace(limits, command_timeout=0.05)
    hasty = Database(pool)
    async with hasty.session(30) as session:
        await session.execute_text("SELECT pg_sleep(0.2)")
    with pytest.raises(LimitReached):
        await hasty.fetch_text("SELECT pg_sleep(0.2)")


async def test_a_plan_that_outlived_its_table_is_made_anew(desk, query) -> None:
    read = query("SELECT * FROM note")
    await desk.write("a")
    assert len(await desk.database.fetch_row(read)) == 2
    await desk.outside.execute("ALTER TABLE note ADD COLUMN colour text")
    assert len(await desk.database.fetch_row(read)) == 3


async def test_a_stale_plan_inside_a_transaction_is_retryable_and_the_next_one_is_fresh(
    desk, query
) -> None:
    read = query("SELECT * FROM note")
    async with desk.database.transaction() as transaction:
        await transaction.fetch(read)
    await desk.outside.execute("ALTER TABLE note ADD COLUMN colour text")

    async def again() -> None:
        async with desk.database.transaction() as transaction:
            await transaction.fetch(read)

    with pytest.raises(Unavailable, match="schema changed"):
        await again()
    await again()


@pytest.mark.parametrize(
    ("value", "number", "kind"),
    [
        ("a", 1, Conflict),
        ("b", 0, InvalidInput),
        ("b", 2**31, InvalidInput),
        ("b", "many", InvalidInput),
        ("nul \0", 1, InvalidInput),
        ("half \ud800", 1, InvalidInput),
        (7, 1, InvalidInput),
        (None, 1, InvalidInput),
    ],
)
async def test_a_refused_value_says_nothing_about_other_rows(
    desk, query, value, number, kind
) -> None:
    await desk.outside.execute("INSERT INTO note VALUES ('a', 1)")
    with pytest.raises(kind) as refused:
        await desk.database.execute(query("INSERT INTO note VALUES ($1, $2)"), value, number)
    said = refused.value.message + refused.value.hint
    assert "note" not in said
    assert "Key" not in said
    assert desk.pool.idle == 1


async def test_two_transactions_that_wait_for_each_other_are_told_to_try_again(desk, query) -> None:
    await desk.outside.execute("INSERT INTO note VALUES ('a', 1), ('b', 1)")
    update = query("UPDATE note SET number = number + 1 WHERE text = $1")
    met = asyncio.Barrier(2)

    async def move(first: str, second: str) -> str:
        try:
            async with desk.database.transaction() as transaction:
                await transaction.execute(update, first)
                await met.wait()
                await transaction.execute(update, second)
        except UndercroftError as error:
            return error.code
        return "done"

    ends = await asyncio.gather(move("a", "b"), move("b", "a"))
    assert sorted(ends) == ["done", "unavailable"]


async def test_a_database_keeps_one_of_each_kind_until_it_is_forgotten(desk) -> None:
    cache = desk.database.cached(dict)
    assert desk.database.acting_as("somebody").cached(dict) is cache
    assert desk.database.cached(list) is not cache
    await desk.pools.forget(desk.name)
    assert desk.database.cached(dict) is not cache


async def test_the_actor_goes_along_into_transactions(desk) -> None:
    async with desk.database.acting_as("somebody").transaction() as transaction:
        assert transaction.actor == "somebody"
    assert desk.database.actor == "test"


def copied(first: int) -> bytes:
    """30,000 notes in the binary format of COPY."""
    row = struct.Struct("!hi6sii")
    rows = (row.pack(2, 6, b"%06d" % n, 4, n) for n in range(first, first + 30_000))
    return b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"".join(rows) + b"\xff\xff"


async def test_rows_in_the_format_of_copy_are_added_all_or_none(desk, query) -> None:
    columns = ("text", "number")
    count = query("SELECT count(*) FROM note")
    await desk.database.copy("public.note", columns, copied(1))
    assert await desk.database.fetch_value(count) == 30_000
    with pytest.raises(InvalidInput):
        await desk.database.copy("public.note", columns, copied(40_000)[:-9])
    with pytest.raises(Conflict):
        await desk.database.copy("public.note", columns, copied(20_000))
    assert await desk.database.fetch_value(count) == 30_000
    async with desk.database.transaction() as outer:
        with suppress(LookupError):
            async with outer.transaction() as inner:
                await inner.copy("public.note", columns, copied(40_000))
                raise LookupError
        await outer.copy("public.note", columns, copied(50_000))
    assert await desk.database.fetch_value(count) == 60_000
