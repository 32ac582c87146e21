"""Behind the real PgBouncer in transaction mode: no session survives a transaction there."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from undercroft.app import App, open_app
from undercroft.mcp.call import Caller

PORT = 6432
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is not installed (Debian: apt-get install pgbouncer)"
)


@pytest.fixture(scope="session")
def pooler(open_server, tmp_path_factory) -> Iterator[Path]:
    """The folder of PgBouncer's socket."""
    folder = Path(os.path.realpath("/tmp")) / f"uc-bouncer-{os.getpid()}"  # noqa: S108
    folder.mkdir(mode=0o700)
    (folder / "users.txt").write_text('"undercroft" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"""
        [databases]
        * = host={open_server.folder} port={open_server.port}
        [pgbouncer]
        pool_mode = transaction
        auth_type = trust
        auth_file = {folder}/users.txt
        listen_addr =
        listen_port = {PORT}
        unix_socket_dir = {folder}
        default_pool_size = 3
        max_client_conn = 200
        logfile = {folder}/log
        """.replace("        ", "")
    )
    root = os.geteuid() == 0
    for path in (folder, *folder.iterdir()) if root else ():
        os.chown(path, open_server.account, -1)
    account = open_server.account if root else None
    process = subprocess.Popen(
        [str(PROGRAM), str(folder / "pgbouncer.ini")],
        user=account,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_it_listens(folder, process)
        yield folder
    finally:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(folder)


def wait_until_it_listens(folder: Path, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(folder / f".s.PGSQL.{PORT}")) == 0:
                return
    raise AssertionError((folder / "log").read_text())


@pytest.fixture
async def pooled(pooler, open_server, first_start) -> AsyncIterator[App]:
    dsn = open_server.dsn("undercroft", folder=str(pooler), port=PORT)
    async with open_app(replace(first_start, database_url=dsn)) as app:
        yield app


async def test_the_pooler_is_noticed(pooled: App) -> None:
    await pooled.registry()
    assert pooled.started.pools.behind_pooler


async def test_projects_live_their_whole_life_behind_it(pooled: App, project_name) -> None:
    projects = await pooled.projects("test")
    assert (await projects.create(project_name)).state == "ready"
    assert (await projects.archive(project_name)).state == "archived"
    assert (await projects.restore(project_name)).state == "ready"
    await projects.archive(project_name)
    await projects.drop(project_name)


async def test_statements_and_transactions_of_many_callers_do_not_mix(
    pooled: App, project_name, query
) -> None:
    projects = await pooled.projects("test")
    await projects.create(project_name)
    database = (await pooled.open(project_name)).database
    mark = query("SELECT set_config('undercroft.undo', $1, true)")
    read = query("SELECT current_setting('undercroft.undo', true), pg_backend_pid()")
    mixed: list[str] = []
    pids: set[int] = set()

    async def caller(number: int) -> None:
        for turn in range(10):
            own = f"{number}:{turn}"
            async with database.transaction() as transaction:
                await transaction.fetch_value(mark, own)
                row = await transaction.fetch_row(read)
                assert row is not None
                said, pid = row
                pids.add(pid)
                if said != own:
                    mixed.append(said)
            if await database.fetch_value(query("SELECT $1::int"), number) != number:
                mixed.append(own)

    await asyncio.gather(*(caller(number) for number in range(12)))
    assert mixed == []
    assert 1 < len(pids) <= 3
    await projects.archive(project_name)
    await projects.drop(project_name)


async def test_a_key_makes_a_write_happen_once_behind_it(pooled: App, project_name) -> None:
    async def create(description: str) -> dict[str, object]:
        outcome = await pooled.boundary.call(
            "create_project",
            {"name": project_name, "description": description, "idempotency_key": "k"},
            Caller(actor="test"),
        )
        return dict(outcome.body)

    first = await create("one")
    assert await create("one") == first
    assert (await create("two"))["code"] == "conflict"
    projects = await pooled.projects("test")
    await projects.archive(project_name)
    await projects.drop(project_name)
