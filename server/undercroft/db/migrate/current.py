"""Whether a database stands where the files do: the usual case, told without parsing any SQL."""

import hashlib
from pathlib import Path

import asyncpg

from undercroft.db.queries import load_queries
from undercroft.resources import resources

SQL = load_queries(__package__, "current.sql")


def read(path: Path) -> str:
    """The text of a migration, its line ends made equal."""
    return path.read_text(encoding="utf-8").replace("\r\n", "\n")


def checksum(text: str) -> str:
    """SHA-256 of a migration's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def checksums(line: str) -> list[str]:
    """Of every way up of a line, in order."""
    return [
        checksum(read(path)) for path in sorted((resources("migrations") / line).glob("*.up.sql"))
    ]


async def is_current(connection: asyncpg.Connection, line: str, wanted: list[str]) -> bool:
    """Whether the database has applied just these; all else is for the migrator to judge."""
    try:
        found = await connection.fetchval(SQL.applied_checksums.text, line)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return False
    return bool(found == wanted)
