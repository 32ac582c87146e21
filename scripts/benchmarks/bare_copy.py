"""The rows of an index into tables of the same make, by COPY and nothing else."""

from __future__ import annotations

import time
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    import asyncpg

SQL = load_queries("benchmarks", "bare_copy.sql")
TABLES = ("contents", "chunks", "symbols", "embeddings", "segments", "postings", "files")
MINUTES = 600.0
"""Seconds for one statement."""


async def make_tables(connection: asyncpg.Connection) -> None:
    """The same columns, checks and indexes, while the index is still empty."""
    await connection.execute(f"SET ROLE {await connection.fetchval(SQL.get_owner.text)}")
    await connection.execute(SQL.make_schema.text)
    for table in TABLES:
        # Before the graph over the vectors is there: it is built beside the run, not by it.
        await connection.execute(f"CREATE TABLE bare.{table} (LIKE codebase.{table} INCLUDING ALL)")
    await connection.execute("RESET ROLE")


async def copy_all(connection: asyncpg.Connection) -> float:
    """Seconds of the COPY of all rows; the tables are gone afterwards."""
    await connection.execute(f"SET ROLE {await connection.fetchval(SQL.get_owner.text)}")
    seconds = 0.0
    for table in TABLES:
        # Not in memory: it would count in the next run's peak.
        with TemporaryFile() as rows:
            await connection.copy_from_table(
                table, schema_name="codebase", output=rows, format="binary", timeout=MINUTES
            )
            rows.seek(0)
            began = time.perf_counter()
            await connection.copy_to_table(
                table, schema_name="bare", source=rows, format="binary", timeout=MINUTES
            )
            seconds += time.perf_counter() - began
    await connection.execute("DROP SCHEMA bare CASCADE")
    await connection.execute("RESET ROLE")
    return seconds
