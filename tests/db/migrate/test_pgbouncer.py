"""Behind the real PgBouncer in transaction mode, where no session is ours for two transactions."""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from undercroft.db.migrate.files import Line
from undercroft.db.migrate.patience import Connect, Patience
from undercroft.errors import Forbidden

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(not PGBOUNCER, reason="PgBouncer is not installed")
PATIENCE = Patience(
    runner_lock=20, lock_timeout=5, attempts=5, first_pause=0.01, longest_pause=0.05
)


@pytest.fixture
def pooler(postgres) -> Iterator[str]:
    """A socket folder with a PgBouncer before the test's PostgreSQL."""
    folder = Path(postgres.address) / "pooler"
    folder.mkdir()
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={postgres.address} port=5432\n"
        "[pgbouncer]\nlisten_addr =\nlisten_port = 6432\n"
        f"unix_socket_dir = {folder}\nauth_type = trust\nauth_file = {folder}/users\n"
        "pool_mode = transaction\ndefault_pool_size = 4\nlogfile = \npidfile = \n"
    )
    if postgres.account:
        owner = pwd.getpwnam(postgres.account)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(PGBOUNCER), folder / "ini"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            user=postgres.account,
        )  # fmt: skip
    yield str(folder)
    process.terminate()
    process.wait(timeout=10)
    shutil.rmtree(folder)


@pytest.fixture
def through(pooler: str) -> Connect:
    @contextlib.asynccontextmanager
    async def connect(database: str) -> AsyncIterator[asyncpg.Connection]:
        async with asyncio.timeout(20):
            while not (Path(pooler) / ".s.PGSQL.6432").exists():
                await asyncio.sleep(0.005)
        connection = await asyncpg.connect(
            host=pooler, port=6432, user="postgres", database=database, statement_cache_size=0
        )
        try:
            yield connection
        finally:
            await connection.close()

    return connect


@pytest.fixture
def line(bench) -> Line:
    return bench.line(
        _0001_plot="CREATE TABLE plot (id int);",
        _0002_index="-- no transaction\nCREATE INDEX CONCURRENTLY by_id ON plot (id);",
        _0003_fill="INSERT INTO plot VALUES (1);",
        _0003_fill_down="DELETE FROM plot;",
        _0002_index_down="DROP INDEX by_id;",
        _0001_plot_down="DROP TABLE plot;",
    )


async def test_six_runners_through_the_pooler_apply_everything_once(bench, line, through) -> None:
    plain = bench.migrator(line)
    runners = [type(plain)(through, line, patience=PATIENCE) for _ in range(6)]
    outcomes = await asyncio.gather(*(runner.up(bench.database) for runner in runners))
    steps = sorted(step for outcome in outcomes for step in outcome.steps)
    assert steps == ["0001_plot", "0002_index", "0003_fill"]
    assert await bench.value("SELECT count(*) FROM plot") == 1
    held = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert await bench.value(held) == 0
    assert len((await runners[0].down(bench.database, to=0, force=True)).steps) == 3


async def test_what_needs_a_session_and_a_role_is_refused_rather_than_leaked(
    bench, line, through
) -> None:
    await bench.fetch(f"GRANT ALL ON DATABASE {bench.database} TO pg_monitor")
    await bench.fetch("GRANT ALL ON SCHEMA public TO pg_monitor")
    migrator = type(bench.migrator(line))(through, line, patience=PATIENCE, owner_role="pg_monitor")
    with pytest.raises(Forbidden, match="session of its own"):
        await migrator.up(bench.database)
    assert (await migrator.status(bench.database)).version == 1
    async with through(bench.database) as connection:
        for _ in range(8):
            assert await connection.fetchval("SELECT current_user::text") == "postgres"
    direct = bench.migrator(line, owner_role="pg_monitor")
    assert (await direct.up(bench.database)).steps == ("0002_index", "0003_fill")
