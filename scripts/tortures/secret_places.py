"""Where a value could have got to: files of ours and of PostgreSQL's, its views, other programs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tortures.scratch import Scratch

PAUSE = 0.1
"""Seconds between two looks at what passes quickly."""
VERBOSE = {
    "log_statement": "'all'",
    "log_min_messages": "'log'",
    "log_min_error_statement": "'error'",
    "log_error_verbosity": "'verbose'",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_rotation_size": "0",
    "wal_keep_size": "'4GB'",
    "pg_stat_statements.track_utility": "on",
}
"""PostgreSQL tells all it can: what it does not know it cannot tell."""


_KEPT = "SELECT t::text FROM undercroft.idempotency_keys AS t"


async def make_talkative(scratch: Scratch) -> None:
    """Let PostgreSQL tell what it knows."""
    async with scratch.asked() as admin:
        for name, value in VERBOSE.items():
            await admin.execute(f"ALTER SYSTEM SET {name} = {value}")
        await admin.execute("SELECT pg_reload_conf()")


@dataclass(kw_only=True)
class Places:
    """Everything that is searched, by what it is called; each in pieces."""

    scratch: Scratch
    project: str
    """Name of its database."""
    folder: Path
    """Of our own logs and answers."""
    activity: set[str] = field(default_factory=set)
    """Statements that ran at some moment."""
    arguments: set[bytes] = field(default_factory=set)
    """Command lines of all processes at some moment."""
    looks: int = 0

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Look at what passes quickly, for the length of the block."""
        tasks = [asyncio.create_task(one) for one in (self._statements(), self._processes())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _statements(self) -> None:
        async with self.scratch.asked() as admin:
            while True:
                rows = await admin.fetch("SELECT query FROM pg_stat_activity WHERE query <> ''")
                self.activity |= {row["query"] for row in rows}
                await asyncio.sleep(PAUSE)

    async def _processes(self) -> None:
        while True:
            self.arguments |= await asyncio.to_thread(lambda: {*_command_lines()})
            self.looks += 1
            await asyncio.sleep(PAUSE)

    def log(self, name: str) -> Path:
        """A file for what one of our processes says."""
        return self.folder / f"{name}.log"

    async def contents(self) -> dict[str, list[bytes]]:
        """The contents of every place, now that everything is on disk."""
        async with self.scratch.asked() as admin:
            await admin.execute("CHECKPOINT")
            data = Path(await admin.fetchval("SHOW data_directory"))
        return {
            "our logs": _files(self.folder, "*.log"),
            "answers": _files(self.folder, "*.answers"),
            "PostgreSQL's log": _files(data / "log", "*"),
            "WAL": _files(data / "pg_wal", "0*"),
            "data files": _files(data / "base", "**/*") + _files(data / "global", "*"),
            "pg_stat_activity": [text.encode() for text in self.activity],
            "process arguments": [*self.arguments],
            "pg_stat_statements": await self._statistics(),
            "idempotency keys": await self._kept(),
            "pg_dump": [await self._dump()],
        }

    async def _statistics(self) -> list[bytes]:
        async with self.scratch.asked() as admin:
            with suppress(Exception):
                await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            rows = await admin.fetch("SELECT query FROM pg_stat_statements")
            return [row["query"].encode() for row in rows]

    async def _kept(self) -> list[bytes]:
        async with self.scratch.asked(self.project) as admin:
            return [row[0].encode() for row in await admin.fetch(_KEPT)]

    async def _dump(self) -> bytes:
        address = await self.scratch.postgres.address()
        program = (await self.scratch.postgres.programs()).program("pg_dump")
        where = ["-h", str(address.host), "-p", str(address.port), "-U", "postgres"]
        process = await asyncio.create_subprocess_exec(
            program, *where, "--inserts", self.project, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("pg_dump has failed")
        return out


def _files(folder: Path, pattern: str) -> list[bytes]:
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            if path.is_file():
                found.append(path.read_bytes())
    return found


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                yield (process / "cmdline").read_bytes()


PLACES = (
    "our logs",
    "answers",
    "PostgreSQL's log",
    "WAL",
    "data files",
    "pg_stat_activity",
    "pg_stat_statements",
    "pg_dump",
    "idempotency keys",
    "process arguments",
)
_KEY = """
INSERT INTO undercroft.idempotency_keys (key, tool, arguments_digest, created_by, result)
VALUES ('decoy', 'decoy', sha256('x'), 'decoy', to_jsonb($1::text))
"""


async def mark(places: Places, values: dict[str, str]) -> None:
    """Put a value into each place on purpose, to see that the search is not blind there."""
    places.log("decoy").write_text(f"value={values['our logs']}\n")
    (places.folder / "decoy.answers").write_text(values["answers"])
    said = values["PostgreSQL's log"]
    stored = [values[place] for place in ("WAL", "data files", "pg_dump")]
    async with places.scratch.asked(places.project) as admin:
        await admin.execute(f"DO $$ BEGIN RAISE LOG '%', '{said}'; END $$")
        await admin.execute("CREATE TABLE decoys AS SELECT unnest($1::text[]) AS value", stored)
        await admin.fetch(f"SELECT pg_sleep(0.5), '{values['pg_stat_activity']}'")
        await admin.fetch(f"SELECT 1 AS one /* {values['pg_stat_statements']} */")
        await admin.execute(_KEY, values["idempotency keys"])
    await _mark_processes(values["process arguments"])


async def _mark_processes(value: str) -> None:
    words = ("sh", "-c", "read x", value)
    process = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.PIPE)
    await asyncio.sleep(4 * PAUSE)
    process.kill()
    await process.wait()
