"""Kill a migrating process with SIGKILL at every STRIDE-th statement, and run it again.

A program of its own, for it forks:
`victim.py HOST DATABASE FOLDER up|down during|after STRIDE`. Prints one JSON object for each
kill: what the database looked like after the second run.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from undercroft.db.migrate.catalog import take_snapshot
from undercroft.db.migrate.files import load_line
from undercroft.db.migrate.patience import Patience
from undercroft.db.migrate.runner import Migrator

HOST, DATABASE, FOLDER, DIRECTION, MOMENT, STRIDE = sys.argv[1:]
PATIENCE = Patience(
    runner_lock=20, lock_timeout=5, attempts=5, first_pause=0.01, longest_pause=0.05
)


class Doomed(asyncpg.Connection):
    """Dies with the whole process at statement number `last`, counted over all connections."""

    last = 0
    count = 0

    async def execute(self, *args: Any, **options: Any) -> Any:
        return await self._die_of(super().execute(*args, **options))

    async def fetch(self, *args: Any, **options: Any) -> Any:
        return await self._die_of(super().fetch(*args, **options))

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        return await self._die_of(super().fetchval(*args, **options))

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        return await self._die_of(super().fetchrow(*args, **options))

    async def _die_of(self, statement: Coroutine[Any, Any, Any]) -> Any:
        Doomed.count += 1
        if Doomed.count != Doomed.last:
            return await statement
        if MOMENT == "during":
            asyncio.get_running_loop().create_task(statement)
            await asyncio.sleep(0)  # lets the task send it
        else:
            await statement
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


@contextlib.asynccontextmanager
async def connect(database: str) -> AsyncIterator[asyncpg.Connection]:
    kind = Doomed if Doomed.last else asyncpg.Connection
    connection = await asyncpg.connect(
        host=HOST, user="postgres", database=database, connection_class=kind
    )
    try:
        yield connection
    finally:
        await connection.close()


async def migrate(database: str, to: int | None = None) -> None:
    migrator = Migrator(connect, load_line("garden", Path(FOLDER)), patience=PATIENCE)
    if DIRECTION == "up" or to is not None:
        await migrator.up(database, to=to)
    else:
        await migrator.down(database, to=0, force=True)


async def wipe(database: str) -> None:
    """Make a database empty again; much cheaper than making a new one."""
    async with connect(database) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid();"
            "DROP SCHEMA IF EXISTS undercroft CASCADE;"
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public"
        )


async def look(database: str) -> dict[str, object]:
    async with connect(database) as connection:
        ledger = await connection.fetch(
            "SELECT version, state FROM undercroft.migration_history ORDER BY version"
        )
        found: dict[str, object] = {
            "schema": [[*key, d] for key, d in sorted((await take_snapshot(connection)).items())],
            "ledger": [list(row) for row in ledger],
        }
        if await connection.fetchval("SELECT to_regclass('witness') IS NOT NULL"):
            rows = await connection.fetch("SELECT what FROM witness ORDER BY what")
            found["witness"] = [row[0] for row in rows]
        return found


def attempt(database: str, last: int) -> bool:
    """Run in a child that dies at statement `last`; True when it finished before that."""
    child = os.fork()
    if child == 0:
        Doomed.last = last
        status = 1
        try:
            asyncio.run(migrate(database))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status):
        raise AssertionError(f"the child failed at {last}")
    return True


def main() -> None:
    latest = load_line("garden", Path(FOLDER)).latest
    finished = False
    last = 1
    while not finished:
        asyncio.run(wipe(DATABASE))
        if DIRECTION == "down":
            asyncio.run(migrate(DATABASE, latest))
        finished = attempt(DATABASE, last)
        asyncio.run(migrate(DATABASE))
        line = json.dumps({"last": last, "finished": finished} | asyncio.run(look(DATABASE)))
        sys.stdout.write(line + "\n")
        last += int(STRIDE)


main()
