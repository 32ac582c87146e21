"""What a new cluster holds and how its server is set."""

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from undercroft.db.source import ServerAddress

from .conftest import EmbeddedPostgres, connect, session, until

EXTENSIONS = {"vector", "pg_trgm", "btree_gin", "btree_gist", "citext", "unaccent"}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "data_checksums": "on",
    "jit": "off",
    "client_connection_check_interval": "10s",
    "idle_in_transaction_session_timeout": "2min",
    "TimeZone": "UTC",
    "log_error_verbosity": "terse",
    "server_encoding": "UTF8",
}


def written(paths: list[Path]) -> str:
    return "".join(path.read_text() for path in paths)


def stamp_of(home: Path) -> Path:
    return home / "postgres" / "18" / "undercroft.bootstrap"


@pytest.fixture
async def source(home: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home)
    yield server
    await server.close()


@pytest.fixture
async def address(source: EmbeddedPostgres) -> ServerAddress:
    return await source.address()


async def test_a_new_database_of_the_login_has_every_extension(address: ServerAddress) -> None:
    async with session(address) as connection:
        await connection.execute("drop database if exists fresh")
        await connection.execute("create database fresh")
    async with session(address, "fresh") as connection:
        found = {row[0] for row in await connection.fetch("select extname from pg_extension")}
        assert found >= EXTENSIONS
        assert await connection.fetchval("select '[1,2]'::vector <-> '[1,3]'") == 1
        assert await connection.fetchval("select count(*) from pg_stat_statements") >= 0
        assert await connection.fetchval("select show_trgm('ÄÖÜ') <> '{}'")


async def test_text_sorts_by_code_point_on_every_machine(address: ServerAddress) -> None:
    async with session(address) as connection:
        row = await connection.fetchrow("select * from pg_database where datname = 'template1'")
        assert (row["datlocprovider"], row["datlocale"]) == (b"b", "C.UTF-8")
        found = await connection.fetch("select unnest('{b,ä,B,a}'::text[]) as x order by x")
        assert [record["x"] for record in found] == ["B", "a", "b", "ä"]


async def test_the_login_is_no_superuser_but_makes_databases_and_roles(
    address: ServerAddress,
) -> None:
    async with session(address) as connection:
        row = await connection.fetchrow("select * from pg_roles where rolname = current_user")
        assert (row["rolname"], row["rolsuper"]) == ("undercroft", False)
        assert row["rolcreatedb"]
        assert row["rolcreaterole"]
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("copy (select 1) to program 'true'")


async def test_no_other_role_can_log_in(address: ServerAddress) -> None:
    async with session(address) as connection:
        await connection.execute("drop role if exists intruder")
        await connection.execute("create role intruder login")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await connect(address, user="intruder")


async def test_the_server_is_set_as_promised(address: ServerAddress) -> None:
    async with session(address) as connection:
        found = {name: await connection.fetchval(f"show {name}") for name in SETTINGS}
        assert found == SETTINGS
        # A dozen processes with a budget of twenty connections each.
        assert int(await connection.fetchval("show max_connections")) >= 12 * 20 + 10


async def test_no_value_of_a_client_reaches_the_log(
    source: EmbeddedPostgres, address: ServerAddress
) -> None:
    async with session(address) as connection:
        await connection.execute("create temp table t (a text, b text not null)")
        for statement in (
            "insert into t values ('SEKRET-1', null)",
            "select 'SEKRET-2'::uuid",
            "create role r password 'SEKRET-3' nonsense",
            "do $$ begin raise warning 'SEKRET-4'; end $$; select 1/0",
        ):
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(statement)
        pid = await connection.fetchval("select pg_backend_pid()")
    superuser = await connect(address, user="postgres")
    # The same from a session that does log its errors: terse, and without the statement.
    with pytest.raises(asyncpg.PostgresError):
        await superuser.execute("create temp table t (a text not null check (a <> 'SEKRET-5'))"
                                "; insert into t values ('SEKRET-5')")  # fmt: skip
    await superuser.close()
    files = await source.logs()
    # The collector of the log writes when it comes to it.
    until(lambda: "violates check constraint" in written(files))
    log = written(files)
    assert "SEKRET" not in log
    assert f"[{pid}]" not in log


async def test_old_logs_are_removed_at_the_next_start(source: EmbeddedPostgres, home: Path) -> None:
    folder = home / "postgres" / "18" / "log"
    for number in range(30):
        (folder / f"postgres-20200101-0000{number:02}.log").write_text("old\n")
    await source.address()
    assert len(await source.logs()) <= 8
    assert "ready to accept connections" in written((await source.logs())[-1:])


async def test_a_bootstrap_that_was_cut_short_or_is_older_is_completed(
    source: EmbeddedPostgres, home: Path
) -> None:
    address = await source.address()
    superuser = await connect(address, "template1", user="postgres")
    await superuser.execute("drop extension citext")
    await superuser.close()
    await source.close()
    stamp = stamp_of(home)
    complete = stamp.read_text()
    stamp.write_text("of an older version")
    async with session(await source.address(), "template1") as connection:
        query = "select true from pg_extension where extname = 'citext'"
        assert await connection.fetchval(query)
    assert stamp.read_text() == complete


async def test_settings_made_with_alter_system_win_over_ours_but_not_over_the_socket(
    source: EmbeddedPostgres,
) -> None:
    superuser = await connect(await source.address(), user="postgres")
    await superuser.execute("alter system set work_mem = '9MB'")
    await superuser.execute("alter system set listen_addresses = '*'")
    await superuser.close()
    await source.close()
    superuser = await connect(await source.address(), user="postgres")
    try:
        assert await superuser.fetchval("show work_mem") == "9MB"
        assert await superuser.fetchval("show listen_addresses") == ""
    finally:
        await superuser.execute("alter system reset all")
        await superuser.close()


async def test_psql_and_pg_dump_stand_beside_the_server(
    source: EmbeddedPostgres, address: ServerAddress
) -> None:
    programs = await source.programs()
    for name in ("psql", "pg_dump", "pg_restore"):
        assert os.access(programs.program(name), os.X_OK)
    said = subprocess.check_output(  # noqa: ASYNC221 - a moment's work
        [programs.program("psql"), "-At", "-c", "select 1", "-h", str(address.host),
         "-U", address.user, "postgres"], text=True)  # fmt: skip
    assert said == "1\n"
