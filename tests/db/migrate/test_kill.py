"""Killed at every statement, a run is simply run again: the end is that of a clean run."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from undercroft.db.migrate.catalog import take_snapshot
from undercroft.db.migrate.patience import Patience
from undercroft.errors import Unavailable

PATIENCE = Patience(
    runner_lock=20, lock_timeout=5, attempts=5, first_pause=0.01, longest_pause=0.05
)
FILES = {
    "_0001_plants": (
        "CREATE TABLE plants (id int PRIMARY KEY, colour text, note text);\n"
        "CREATE TABLE witness (what text);\n"
        "CREATE INDEX by_note ON plants (note);\n"
        "INSERT INTO plants SELECT n FROM generate_series(1, 20) n;"
    ),
    "_0001_plants_down": "DROP TABLE witness; DROP TABLE plants;",
    "_0002_indexes": (
        "-- no transaction\n"
        "INSERT INTO witness VALUES ('first');\n"
        "CREATE INDEX CONCURRENTLY by_colour ON plants (colour);\n"
        "ALTER TABLE plants ADD height int;\n"
        'CREATE UNIQUE INDEX CONCURRENTLY "By Height" ON public.plants (height);\n'
        "DROP INDEX CONCURRENTLY by_note;\n"
        "INSERT INTO witness VALUES ('last');"
    ),
    "_0002_indexes_down": (
        "-- no transaction\n"
        "CREATE INDEX CONCURRENTLY by_note ON plants (note);\n"
        'DROP INDEX CONCURRENTLY "By Height";\n'
        "ALTER TABLE plants DROP height;\n"
        "DROP INDEX CONCURRENTLY by_colour;"
    ),
    "_0003_paint": (
        "-- data: batches\n"
        "WITH painted AS (UPDATE plants SET colour = 'red' WHERE id IN (SELECT id FROM plants "
        "WHERE colour IS NULL ORDER BY id LIMIT 12) RETURNING id) "
        "INSERT INTO witness SELECT 'painted ' || id FROM painted;"
    ),
    "_0003_paint_down": "UPDATE plants SET colour = NULL;",
}
WITNESS = sorted(["first", "last", *(f"painted {n}" for n in range(1, 21))])


# A sample; `victim.py` with stride 1 takes every statement.
@pytest.mark.parametrize(
    ("direction", "moment", "stride"),
    [("up", "during", 3), ("down", "during", 3), ("up", "after", 11), ("down", "after", 11)],
)
async def test_a_process_killed_at_any_statement_is_made_good_by_the_next_run(
    bench, tmp_path: Path, direction: str, moment: str, stride: int
) -> None:
    garden = tmp_path / "garden"
    garden.mkdir()
    for key, text in FILES.items():
        way = "down" if key.endswith("_down") else "up"
        (garden / f"{key.removeprefix('_').removesuffix('_down')}.{way}.sql").write_text(text)
    run = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, Path(__file__).with_name("victim.py"), bench.postgres.address,
         bench.database, tmp_path, direction, moment, str(stride)],
        capture_output=True, text=True, timeout=240, check=False,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": ""},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = [json.loads(line) for line in run.stdout.splitlines()]
    clean = found[-1]
    assert clean.pop("finished")
    assert clean.pop("last") > 30
    assert clean["ledger"] == ([[n, "applied"] for n in (1, 2, 3)] if direction == "up" else [])
    assert clean.get("witness", WITNESS) == sorted(WITNESS)
    for killed in found[:-1]:
        assert not killed.pop("finished")
        assert killed | {"last": 0} == clean | {"last": 0}, f"killed at {killed['last']}"


async def test_a_run_whose_backends_are_killed_after_any_statement_is_made_good_by_the_next_run(
    bench, postgres
) -> None:
    line = bench.line(**FILES)
    await bench.migrator(line, patience=PATIENCE).up(bench.database)
    async with postgres.session(bench.database) as connection:
        clean = await take_snapshot(connection)
    survived = False
    last = 0
    while not survived:
        last += 5
        async with postgres.session(bench.database) as connection:
            await connection.execute(
                "DROP SCHEMA IF EXISTS undercroft CASCADE; DROP SCHEMA public CASCADE;"
                "CREATE SCHEMA public"
            )
        async with postgres.session("postgres") as admin:
            survived = await run_until_killed(bench, line, admin, last)
        await bench.migrator(line, patience=PATIENCE).up(bench.database)
        async with postgres.session(bench.database) as connection:
            assert await take_snapshot(connection) == clean, f"killed at statement {last}"
        rows = await bench.fetch("SELECT what FROM witness ORDER BY what")
        assert [row[0] for row in rows] == sorted(WITNESS), f"killed at statement {last}"
    assert last > 30


async def run_until_killed(bench, line, admin, last: int) -> bool:
    count = 0

    class Doomed(asyncpg.Connection):
        async def execute(self, *args: Any, **options: Any) -> Any:
            return await self._killed_after(super().execute(*args, **options))

        async def fetch(self, *args: Any, **options: Any) -> Any:
            return await self._killed_after(super().fetch(*args, **options))

        async def fetchval(self, *args: Any, **options: Any) -> Any:
            return await self._killed_after(super().fetchval(*args, **options))

        async def _killed_after(self, statement: Awaitable[Any]) -> Any:
            nonlocal count
            count += 1
            result = await statement
            if count == last:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                    f"WHERE datname = '{bench.database}'"
                )
            return result

    def connect(database: str) -> Any:
        return bench.postgres.session(database, connection_class=Doomed)

    migrator = type(bench.migrator(line))(connect, line, patience=PATIENCE)
    with contextlib.suppress(Unavailable):
        await migrator.up(bench.database)
    return count < last
