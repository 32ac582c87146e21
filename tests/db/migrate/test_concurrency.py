"""Runners beside each other; each test waits until PostgreSQL shows that they really meet."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from undercroft.db.migrate.files import Line
from undercroft.db.migrate.patience import Patience, runner_lock
from undercroft.errors import Unavailable

GATE = 42
WAITING_AT_GATE = (
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
    "AND wait_event_type = 'Lock' AND query LIKE '%pg_advisory_xact_lock_shared(42)%'"
)
PATIENT = Patience(runner_lock=30, lock_timeout=20, first_pause=0.005, longest_pause=0.02)


def gated(bench) -> Line:
    return bench.line(
        _0001_witness="CREATE TABLE witness (version int);",
        _0002_gate="SELECT pg_advisory_xact_lock_shared(42); INSERT INTO witness VALUES (2);",
        _0003_index=(
            "-- no transaction\nINSERT INTO witness VALUES (3);\n"
            "CREATE INDEX CONCURRENTLY by_version ON witness (version);"
        ),
        _0004_last="INSERT INTO witness VALUES (4);",
    )


@contextlib.asynccontextmanager
async def gate_closed(bench) -> AsyncIterator[asyncpg.Connection]:
    async with bench.postgres.session(bench.database) as keeper:
        await keeper.execute(f"SELECT pg_advisory_lock({GATE})")
        yield keeper


async def test_eight_runners_at_once_apply_each_migration_once(bench) -> None:
    refused: set[int] = set()

    class Watched(asyncpg.Connection):
        async def execute(self, query: str, *args: Any, **options: Any) -> Any:
            tag = await super().execute(query, *args, **options)
            if "pg_try_advisory_xact_lock" in query and tag == "SELECT 0":
                refused.add(self.get_server_pid())
            return tag

    def connect(database: str) -> Any:
        return bench.postgres.session(database, connection_class=Watched)

    line = gated(bench)
    migrators = [type(bench.migrator(line))(connect, line, patience=PATIENT) for _ in range(8)]
    async with asyncio.timeout(40):
        async with gate_closed(bench) as keeper:
            runs = [asyncio.create_task(m.up(bench.database)) for m in migrators]
            await bench.until(WAITING_AT_GATE)
            while len(refused) < 7:
                await asyncio.sleep(0.005)
            await keeper.execute(f"SELECT pg_advisory_unlock({GATE})")
        outcomes = await asyncio.gather(*runs)
    steps = sorted(step for outcome in outcomes for step in outcome.steps)
    assert steps == ["0001_witness", "0002_gate", "0003_index", "0004_last"]
    rows = await bench.fetch("SELECT version FROM witness ORDER BY version")
    assert [row[0] for row in rows] == [2, 3, 4]


async def test_when_the_lock_is_lost_the_ledger_key_still_keeps_two_runners_apart(bench) -> None:
    line = gated(bench)
    await bench.migrator(line).up(bench.database, to=1)
    async with gate_closed(bench) as keeper:
        first = asyncio.create_task(bench.migrator(line, patience=PATIENT).up(bench.database, to=2))
        await bench.until(WAITING_AT_GATE)
        assert await keeper.fetchval(
            "SELECT bool_and(pg_terminate_backend(pid)) FROM pg_locks "
            "WHERE locktype = 'advisory' AND granted AND objid <> $1 "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            GATE,
        )
        second = asyncio.create_task(
            bench.migrator(line, patience=PATIENT).up(bench.database, to=2)
        )
        await bench.until(
            "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event = 'transactionid' AND query LIKE '%INSERT INTO undercroft%'"
        )
        await keeper.execute(f"SELECT pg_advisory_unlock({GATE})")
        outcomes = await asyncio.gather(first, second)
    assert await bench.value("SELECT count(*) FROM witness WHERE version = 2") == 1
    assert [outcome.steps for outcome in outcomes] == [("0002_gate",), ()]


async def test_the_idle_lock_holder_does_not_hold_up_an_index_built_concurrently(bench) -> None:
    await bench.fetch("CREATE TABLE plot (id int)")
    async with (
        runner_lock(bench.postgres.session, bench.database, PATIENT) as holder,
        bench.postgres.session(bench.database) as connection,
    ):
        state = await connection.fetchrow(
            "SELECT state, backend_xmin, backend_xid FROM pg_stat_activity WHERE pid = $1",
            holder.get_server_pid(),
        )
        assert dict(state) == {
            "state": "idle in transaction",
            "backend_xmin": None,
            "backend_xid": None,
        }
        await connection.execute("CREATE INDEX CONCURRENTLY by_id ON plot (id)", timeout=10)
        held = await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $1 AND granted",
            holder.get_server_pid(),
        )
        assert held == 1


async def test_a_runner_that_never_gets_its_turn_gives_up_by_its_deadline(bench) -> None:
    line = gated(bench)
    impatient = Patience(runner_lock=0.05, first_pause=0.01, longest_pause=0.02)
    async with runner_lock(bench.postgres.session, bench.database, PATIENT):
        with pytest.raises(Unavailable, match="Another process has been migrating"):
            await bench.migrator(line, patience=impatient).up(bench.database)


async def test_a_locked_table_is_waited_for_in_short_turns(bench) -> None:
    line = bench.line(
        _0001_plot="CREATE TABLE plot (id int);", _0002_more="ALTER TABLE plot ADD size int;"
    )
    hasty = Patience(lock_timeout=0.05, attempts=100, first_pause=0.01, longest_pause=0.02)
    await bench.migrator(line).up(bench.database, to=1)
    async with bench.postgres.session(bench.database) as reader:
        transaction = reader.transaction()
        await transaction.start()
        await reader.execute("SELECT FROM plot")
        run = asyncio.create_task(bench.migrator(line, patience=hasty).up(bench.database))
        for _ in range(2):
            await bench.until(
                "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event = 'relation' AND query LIKE 'ALTER TABLE plot%'"
            )
            await bench.until(
                "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() "
                "AND wait_event = 'relation'"
            )
        await transaction.rollback()
    assert (await run).steps == ("0002_more",)


async def test_a_table_that_stays_locked_is_reported_as_such(bench) -> None:
    line = bench.line(
        _0001_plot="CREATE TABLE plot (id int);", _0002_more="ALTER TABLE plot ADD size int;"
    )
    hasty = Patience(lock_timeout=0.02, attempts=3, first_pause=0.01, longest_pause=0.02)
    await bench.migrator(line).up(bench.database, to=1)
    async with bench.postgres.session(bench.database) as reader, reader.transaction():
        await reader.execute("SELECT FROM plot")
        with pytest.raises(Unavailable) as refused:
            await bench.migrator(line, patience=hasty).up(bench.database)
    assert refused.value.data["sqlstate"] == "55P03"
    assert "Another session holds a lock" in refused.value.hint


async def test_server_timeouts_do_not_cut_a_migration_or_its_lock(bench) -> None:
    for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
        await bench.fetch(f"ALTER DATABASE {bench.database} SET {setting} = '100ms'")
    line = bench.line(_0001_slow="SELECT pg_sleep(0.3);", _0002_more="SELECT 1;")
    assert len((await bench.migrator(line).up(bench.database)).steps) == 2
