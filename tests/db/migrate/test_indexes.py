"""CREATE INDEX CONCURRENTLY, interrupted where it hurts: while it waits for an old snapshot."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from undercroft.db.migrate.files import Line
from undercroft.db.migrate.patience import Patience
from undercroft.errors import Unavailable

BUILDING = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event = 'virtualxid' AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
)
INDEX = (
    "SELECT i.indexrelid::int, i.indisvalid FROM pg_index AS i "
    "JOIN pg_class AS c ON c.oid = i.indexrelid WHERE c.relname = 'by_size'"
)
PATIENT = Patience(runner_lock=20, lock_timeout=5, attempts=5, first_pause=0.01, longest_pause=0.05)


@pytest.fixture
def line(bench) -> Line:
    return bench.line(
        _0001_plot="CREATE TABLE plot (size int);",
        _0002_index="-- no transaction\nCREATE INDEX CONCURRENTLY by_size ON plot (size);",
    )


@contextlib.asynccontextmanager
async def old_snapshot(bench) -> AsyncIterator[asyncpg.transaction.Transaction]:
    async with bench.postgres.session(bench.database) as reader:
        transaction = reader.transaction(isolation="repeatable_read")
        await transaction.start()
        await reader.fetch("SELECT 1")
        yield transaction
        with contextlib.suppress(asyncpg.InterfaceError):
            await transaction.rollback()


async def test_an_index_left_invalid_is_dropped_and_built_again(bench, line) -> None:
    migrator = bench.migrator(line, patience=PATIENT)
    await migrator.up(bench.database, to=1)
    async with old_snapshot(bench):
        run = asyncio.create_task(migrator.up(bench.database))
        await bench.until(BUILDING)
        await bench.fetch(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE wait_event = 'virtualxid' AND datname = current_database()"
        )
        with pytest.raises(Unavailable):
            await run
    left = (await bench.fetch(INDEX))[0]
    assert not left["indisvalid"]
    status = await migrator.status(bench.database)
    assert (status.state, status.unfinished) == ("unfinished", "0002_index")
    assert (await migrator.up(bench.database)).steps == ("0002_index",)
    built = (await bench.fetch(INDEX))[0]
    assert built["indisvalid"]
    assert built["indexrelid"] != left["indexrelid"]


async def test_an_index_that_is_not_built_in_time_leaves_nothing_behind(bench, line) -> None:
    hasty = Patience(concurrently=0.05, attempts=2, first_pause=0.01)
    await bench.migrator(line).up(bench.database, to=1)
    async with old_snapshot(bench):
        with pytest.raises(Unavailable) as refused:
            await bench.migrator(line, patience=hasty).up(bench.database)
        assert refused.value.data["sqlstate"] == "55P03"
    assert await bench.fetch(INDEX) == []
    assert (await bench.migrator(line).up(bench.database)).steps == ("0002_index",)


async def test_a_backend_that_outlives_its_client_is_waited_for_and_its_index_kept(
    bench, line
) -> None:
    opened: list[asyncpg.Connection] = []

    @contextlib.asynccontextmanager
    async def connect(database: str) -> AsyncIterator[asyncpg.Connection]:
        unaware = {"client_connection_check_interval": "0"}
        async with bench.postgres.session(database, server_settings=unaware) as connection:
            opened.append(connection)
            yield connection

    migrator = bench.migrator(line, patience=PATIENT)
    await migrator.up(bench.database, to=1)
    async with old_snapshot(bench) as reading:
        run = asyncio.create_task(
            type(migrator)(connect, line, patience=PATIENT).up(bench.database)
        )
        await bench.until(BUILDING)
        for connection in opened:
            connection.terminate()
        with pytest.raises(Unavailable):
            await run
        orphan = (await bench.fetch(INDEX))[0]["indexrelid"]
        again = asyncio.create_task(migrator.up(bench.database))
        await bench.until(
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'relation' "
            "AND query LIKE 'LOCK TABLE plot%' AND datname = current_database()"
        )
        await reading.rollback()
        assert (await again).steps == ("0002_index",)
    built = (await bench.fetch(INDEX))[0]
    assert (built["indexrelid"], built["indisvalid"]) == (orphan, True)
