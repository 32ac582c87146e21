"""All databases of the server, for `undercroft migrate`: reached without migrating them first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from undercroft.app.ground import source_of
from undercroft.db.connector import Connector
from undercroft.db.migrate.fleet import Fleet
from undercroft.db.pools import Pools
from undercroft.db.queries import load_queries
from undercroft.db.schemas import Schemas
from undercroft.errors import Conflict, NotFound

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.settings import Settings

_SQL = load_queries("undercroft.projects")
_ALL = 1_000_000


@asynccontextmanager
async def open_fleet(settings: Settings) -> AsyncIterator[Fleet]:
    """The registry and every project, for the length of the block; starts or joins PostgreSQL."""
    source, maintenance = source_of(settings)
    pools = Pools(Connector(source), settings.pool_budget)
    schemas = Schemas(pools, settings, maintenance, _leave_empty)
    try:
        roles = await schemas.roles()
        yield Fleet(
            connect=pools.dedicated,
            registry_database=settings.registry_database,
            list_projects=lambda: _list_projects(pools, settings),
            make_registry=lambda: _make_registry(schemas),
            owner_role=roles.owner if roles.separate else "",
            app_role=roles.login,
            environment=settings.environment,
        )
    finally:
        await pools.close()
        await source.close()


async def _leave_empty(_database: Database) -> None:
    """Furnish nothing: migrating brings schemas, not records."""


async def _make_registry(schemas: Schemas) -> None:
    """Make the registry's database on a new server."""
    try:
        await schemas.registry()
    except Conflict:
        # It exists now, and is behind, ahead or different: that is what the caller came for.
        return


async def _list_projects(pools: Pools, settings: Settings) -> Sequence[tuple[str, str]]:
    """Every project that has a database; none where the registry is not there yet."""
    try:
        async with pools.dedicated(settings.registry_database) as connection:
            if not await connection.fetchval("SELECT to_regclass('public.projects') IS NOT NULL"):
                return []
            return [
                (row["name"], row["database_name"])
                for state in ("ready", "archived")
                for row in await connection.fetch(_SQL.list_projects.text, "", state, _ALL)
            ]
    except NotFound:
        return []
