"""Databases at the code's version: made if missing, migrated if behind, refused if ahead."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import asyncpg
import structlog

from undercroft.db.database import Database
from undercroft.db.limits import PoolLimits
from undercroft.db.migrate.current import checksums, is_current
from undercroft.db.pool import Pool
from undercroft.db.pools import Pools
from undercroft.db.queries import load_queries, quote_ident
from undercroft.db.roles import SQL, Roles, admission, grant, prepare_roles, settlement
from undercroft.db.sqlstate import DRIVER_ERRORS, translate
from undercroft.db.vector import require_vector
from undercroft.errors import Conflict, NotFound, Unavailable

if TYPE_CHECKING:
    from undercroft.db.migrate.runner import Migrator
    from undercroft.settings import Settings

LOCKS = load_queries("undercroft.db", "schemas.sql")
log = structlog.get_logger("undercroft.schemas")

ALONE_PATIENCE = 30.0
"""Seconds to wait for a lock of the whole server."""

MIGRATING_AT_ONCE = 2
"""Each holds two connections: twenty at once, each waiting for its second, would wait for ever."""

Furnish = Callable[[Database], Awaitable[None]]
"""Puts what every project has from the start into its database; idempotent and cheap."""


class Schemas:
    """The registry and the project databases of one server, as this version wants them."""

    def __init__(
        self, pools: Pools, settings: Settings, maintenance: str, furnish: Furnish
    ) -> None:
        self._pools = pools
        self._settings = settings
        self._maintenance = maintenance
        self._furnish = furnish
        self._roles: Roles | None = None
        self._roles_lock = asyncio.Lock()
        self._migrating = asyncio.Semaphore(MIGRATING_AT_ONCE)
        self._checksums = {line: checksums(line) for line in ("registry", "project")}

    async def registry(self) -> Database:
        """The registry, made on the very first use."""
        name = self._settings.registry_database
        pool = self._pools.pool(name, _limits(self._settings, "registry"))
        if not await self._has_registry(name, pool):
            await self._make_registry(name)
        await self._bring_up("registry", name)
        return Database(pool)

    async def _has_registry(self, name: str, pool: Pool) -> bool:
        if self._settings.database_url:
            # A pooler remembers a failed login for seconds: ask at the other door first.
            async with (
                self._administration(self._maintenance) as connection,
                connection.transaction(),
            ):
                return bool(await connection.fetchval(SQL.has_database.text, name))
        try:
            async with pool.connection():
                return True
        except NotFound:
            return False

    async def project(self, database: str) -> Database:
        """A project's database, at this version and with the built-in types."""
        pool = self._pools.pool(database, _limits(self._settings, "project"))
        await self._bring_up("project", database)
        opened = Database(pool)
        await self._furnish(opened)
        return opened

    async def template_name(self) -> str:
        """Name of the template database that holds exactly this schema with these roles."""
        from undercroft.db.migrate.files import digest, load_line  # noqa: PLC0415

        roles = await self.roles()
        identity = f"{digest(load_line('project'))} {roles.login} {roles.owner}"
        return f"undercroft_template_{hashlib.sha256(identity.encode()).hexdigest()[:16]}"

    async def fill(self, database: str) -> None:
        """Bring an empty database to this schema, built-in types included."""
        await self._settle(database)
        await self._require_vector(database, "template1")
        await (await self.migrator("project")).up(database)
        pool = self._pools.pool(database, _limits(self._settings, "project"))
        await self._furnish(Database(pool))
        await pool.drain()

    async def roles(self) -> Roles:
        """Who owns what on this server; the owner role is made on first asking."""
        async with self._roles_lock:
            if self._roles is None:
                async with self._administration(self._maintenance) as connection:
                    self._roles = await prepare_roles(connection)
        return self._roles

    @asynccontextmanager
    async def _administration(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        try:
            async with self._pools.dedicated(database) as connection:
                yield connection
        except DRIVER_ERRORS as error:
            raise translate(error, in_doubt=False) from None

    async def migrator(self, line: str) -> Migrator:
        """What moves databases along that line."""
        # A database that is up to date, the usual case, never needs it.
        from undercroft.db.migrate.files import load_line  # noqa: PLC0415
        from undercroft.db.migrate.runner import Migrator  # noqa: PLC0415

        roles = await self.roles()
        return Migrator(
            self._pools.dedicated,
            load_line(line),
            owner_role=roles.owner if roles.separate else "",
            app_role=roles.login,
            environment=self._settings.environment,
        )

    @asynccontextmanager
    async def alone(self, what: str) -> AsyncIterator[None]:
        """Hold a lock of the whole server, whatever registry its other users have.

        Raises:
            Unavailable: Somebody else has held it for half a minute.

        """
        give_up = asyncio.get_running_loop().time() + ALONE_PATIENCE
        async with self._pools.dedicated(self._maintenance) as connection:
            while asyncio.get_running_loop().time() < give_up:
                async with connection.transaction():
                    if await connection.fetchval(LOCKS.try_alone.text, what):
                        yield
                        return
                await asyncio.sleep(0.02 + random.random() * 0.08)  # noqa: S311 - jitter
        raise Unavailable("Another process is at work on the same thing.")

    async def _bring_up(self, line: str, database: str) -> None:
        """Migrate a database that is behind; the usual answer costs one statement."""
        pool = self._pools.pool(database, _limits(self._settings, line))
        async with pool.connection() as connection:
            if await is_current(connection, line, self._checksums[line]):
                return
            if not await _is_behind(connection, line, database):
                return
        if not self._settings.auto_migrate:
            raise Conflict(
                f"The database {database} is older than this version of Undercroft.",
                hint="Run `undercroft migrate up`, or set UNDERCROFT_AUTO_MIGRATE=true.",
            )
        async with self._migrating:
            if line == "registry":
                # Whoever made it may have died before it was opened to the owner of its tables.
                await self._settle(database)
            else:
                await self._require_vector(database, database)
            outcome = await (await self.migrator(line)).up(database)
        pool.expire()
        log.info("migrated", database=database, steps=len(outcome.steps))

    async def _make_registry(self, name: str) -> None:
        async with self._administration(self._maintenance) as connection:
            # Another server may make it in the same moment.
            with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
                await connection.execute(f"CREATE DATABASE {quote_ident(name)}")

    async def _require_vector(self, database: str, where: str) -> None:
        async with self._administration(database) as connection:
            await require_vector(connection, where)

    async def _settle(self, database: str) -> None:
        roles = await self.roles()
        async with self._administration(database) as connection:
            await grant(connection, f"{admission(database, roles)};{settlement(roles)}")


async def _is_behind(connection: asyncpg.Connection, line: str, database: str) -> bool:
    from undercroft.db.migrate.files import load_line  # noqa: PLC0415 - the rare case
    from undercroft.db.migrate.ledger import plan_up, read_state, refuse_drift  # noqa: PLC0415

    files = load_line(line)
    state = await read_state(connection, line)
    refuse_drift(files, state, database)
    return bool(plan_up(files, state))


def _limits(settings: Settings, kind: str) -> PoolLimits:
    """Sizes of a registry or project pool."""
    values = vars(settings)
    return PoolLimits(
        minimum=values[f"{kind}_pool_min"],
        maximum=values[f"{kind}_pool_max"],
        idle=values[f"{kind}_pool_idle"],
        command_timeout=values[f"{kind}_command_timeout"],
        acquire_timeout=settings.acquire_timeout,
        max_queries=settings.pool_max_queries,
    )
