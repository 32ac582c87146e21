"""pgvector, which every project's database needs: made by us where we may, else whose turn it is.

The login installs it, and before the migrations: pgvector is no trusted extension, so the owner
of the tables may not, and a login that is no superuser may only where the operator of the
server lets it. Elsewhere a superuser does it once in `template1`, of which each new database
is a copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

SQL = load_queries("undercroft.db", "vector.sql")

OLDEST = (0, 8)
"""The first pgvector with halfvec and iterative index scans."""

INSTALL = "Install the package of your PostgreSQL, for example postgresql-18-pgvector."
UPDATE = "Install pgvector 0.8 or newer, then `ALTER EXTENSION vector UPDATE` in"


def too_old(version: str) -> bool:
    """Whether a pgvector lacks what we need."""
    return tuple(int(part) for part in version.split(".")[:2]) < OLDEST


def create_in(database: str) -> str:
    """What a superuser has to do so that a database has pgvector."""
    return f"Have a superuser run `CREATE EXTENSION vector` in {database}, once."


async def require_vector(connection: asyncpg.Connection, database: str) -> None:
    """Make sure that the connection's database has pgvector.

    `database`: where a superuser would have to create it.

    Raises:
        Conflict: It is older than 0.8.
        Forbidden: The login may not create it.
        NotFound: The server does not have it.

    """
    found: Mapping[str, str | None] = await connection.fetchrow(SQL.get_vector.text)
    version = found["installed"] or found["available"]
    if version is None:
        raise NotFound("This PostgreSQL has no pgvector, which Undercroft needs.", hint=INSTALL)
    if too_old(version):
        raise Conflict(f"pgvector {version} is too old.", hint=f"{UPDATE} {database}.")
    if found["installed"] is None:
        try:
            await connection.execute(SQL.create_vector.text)
        except asyncpg.InsufficientPrivilegeError as error:
            raise Forbidden(
                "The server's login may not create the extension pgvector.",
                hint=create_in(database),
            ) from error
