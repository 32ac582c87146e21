"""Whether the live schema is the one that the files make.

The expected schema is made for real, by running the line in a scratch database, and both
catalogs are read by the same queries. So nothing has to describe the schema a second time.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import asyncpg

from undercroft.db.migrate.catalog import Difference, Snapshot, compare, take_snapshot
from undercroft.db.migrate.ledger import SQL
from undercroft.db.migrate.report import Status
from undercroft.db.migrate.runner import Migrator
from undercroft.db.queries import quote_ident
from undercroft.errors import Forbidden

_PARTS = (
    "schema", "table", "column", "index", "constraint", "function", "trigger", "view",
    "sequence", "policy", "type", "extension",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What `verify` found in one database."""

    database: str
    line: str
    status: Status
    differences: tuple[Difference, ...]

    @property
    def valid(self) -> bool:
        """Whether the database is what the files make of it, with nothing pending."""
        return not self.differences and self.status.state == "current"

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON values: a list of names for each kind and way of differing."""
        lists = {
            f"{what}_{_plural(kind)}": [
                d.name for d in self.differences if (d.what, d.kind) == (what, kind)
            ]
            for what in ("missing", "extra", "changed")
            for kind in _PARTS
        }
        return {
            "database": self.database,
            "line": self.line,
            "valid": self.valid,
            "version": self.status.version,
            "latest": self.status.latest,
            "pending": list(self.status.pending),
            "drift": list(self.status.drift),
            **lists,
            "differences": [d.as_dict() for d in self.differences],
        }


@dataclass(frozen=True, kw_only=True)
class SchemaManager:
    """Validates the schema of one database."""

    migrator: Migrator
    database: str

    async def validate_schema(self) -> dict[str, Any]:
        """`{valid, missing_tables, missing_columns, …}`: names by kind, see `Verification`.

        Raises:
            Forbidden: The login may not create the scratch database.

        """
        return (await verify(self.migrator, self.database)).as_dict()

    async def create_missing(self) -> dict[str, Any]:
        """Apply what is pending, then validate again."""
        await self.migrator.up(self.database)
        return await self.validate_schema()


async def verify(
    migrator: Migrator, database: str, expected: Snapshot | None = None
) -> Verification:
    """Compare a live database with what the files make of an empty one.

    `expected` spares the scratch database where many databases are compared with one line.

    Raises:
        Forbidden: The login may not create the scratch database.

    """
    expected = await expected_snapshot(migrator, database) if expected is None else expected
    async with migrator.connect(database) as connection:
        found = await take_snapshot(connection)
    return Verification(
        database=database,
        line=migrator.line.name,
        status=await migrator.status(database),
        differences=compare(expected, found),
    )


async def expected_snapshot(migrator: Migrator, database: str) -> Snapshot:
    """The schema that the files make, read from a scratch database beside `database`."""
    async with scratch_database(migrator, database) as scratch:
        await _build(migrator, scratch)
        async with migrator.connect(scratch) as connection:
            return await take_snapshot(connection)


@asynccontextmanager
async def scratch_database(migrator: Migrator, beside: str) -> AsyncIterator[str]:
    """An empty database, reached through `beside`, that is gone afterwards.

    Raises:
        Forbidden: The login may not create one.

    """
    async with migrator.connect(beside) as connection:
        async with connection.transaction():
            leftovers = await connection.fetch(SQL.list_scratch_databases.text)
            clock = await connection.fetchval(SQL.server_clock.text)
        await _sweep(connection, leftovers)
        name = f"undercroft_verify_{clock}_{secrets.token_hex(6)}"
        await _create(connection, name)
    try:
        if migrator.owner_role:
            await _admit(migrator, name)
        yield name
    finally:
        async with migrator.connect(beside) as connection:
            # Not WITH (FORCE): that fails on an autovacuum worker, which a plain DROP sends away.
            await connection.execute(f"DROP DATABASE IF EXISTS {quote_ident(name)}")


async def _build(migrator: Migrator, scratch: str) -> None:
    """Run the line; what it requires of other lines is met, for nothing but its schema counts."""

    async def all_of_them(_line: str) -> range:
        return range(1, 10_000)

    await replace(migrator, applied_elsewhere=all_of_them).up(scratch)


async def _create(connection: asyncpg.Connection, name: str) -> None:
    try:
        await connection.execute(f"CREATE DATABASE {quote_ident(name)}")
    except asyncpg.InsufficientPrivilegeError:
        raise Forbidden(
            "Verifying needs a scratch database, and this login may not create one.",
            hint="Grant it CREATEDB (ALTER ROLE … CREATEDB), or verify a copy elsewhere.",
        ) from None


async def _admit(migrator: Migrator, name: str) -> None:
    """Let the owner role make its schemas and tables, as in every database of ours."""
    owner = quote_ident(migrator.owner_role)
    async with migrator.connect(name) as connection:
        await connection.execute(f"GRANT CREATE ON DATABASE {quote_ident(name)} TO {owner}")
        await connection.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {owner}")


async def _sweep(connection: asyncpg.Connection, leftovers: Sequence[asyncpg.Record]) -> None:
    """Drop what a killed `verify` has left behind."""
    for row in leftovers:
        with contextlib.suppress(asyncpg.PostgresError):
            await connection.execute(f"DROP DATABASE IF EXISTS {quote_ident(row['datname'])}")


def _plural(kind: str) -> str:
    if kind == "index":
        return "indexes"
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"
