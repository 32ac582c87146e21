"""The life of a project's database: made from a template, closed, opened, dropped.

Every step can be repeated: whoever finds a project half-way (a retry, or the
reconciler after a crash) runs the same function again under the project's lock.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from undercroft.db.queries import load_queries, quote_ident, quote_literal
from undercroft.db.roles import Roles, admission
from undercroft.errors import Conflict, NotFound, OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.db.pools import Pools

SQL = load_queries(__package__)
log = structlog.get_logger("undercroft.projects")

LOCK_PATIENCE = 30.0
"""Seconds to wait for another process that works on the same project's database."""

AT_ONCE = 2
"""Each holds up to three connections to the registry: more at once could all wait for a third."""

PAUSES = (0.1, 0.3, 1.0, 3.0)
"""Seconds between two tries to make a project's database; every step of it can be repeated."""


class ProjectSchema(Protocol):
    """What a project database holds at this version of the code."""

    async def roles(self) -> Roles:
        """Who owns what on this server."""

    async def template_name(self) -> str:
        """Name of the template database with exactly this schema."""

    async def fill(self, database: str) -> None:
        """Bring an empty database to this schema, built-in types included."""

    def alone(self, what: str) -> AbstractAsyncContextManager[None]:
        """Hold a lock of the whole server, whatever registry its other users have."""


class Provisioner:
    """Makes, closes, opens and drops the databases of projects."""

    def __init__(self, registry: Database, pools: Pools, schema: ProjectSchema) -> None:
        self._registry = registry
        self._pools = pools
        self._schema = schema
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def complete(self, name: str) -> None:
        """Carry a project from `creating` to `ready`, wherever an earlier try has stopped."""
        template = await self._schema.template_name()
        async with self._turns:
            # Whoever was killed in the midst may have left a CREATE DATABASE that is still at work.
            try:
                for pause in PAUSES:
                    with suppress(Unavailable, OutcomeUnknown):
                        return await self._complete(name, template)
                    await asyncio.sleep(pause)
                return await self._complete(name, template)
            except Conflict:
                # Another's database: announced in vain, and never to be dropped.
                await self._registry.execute(SQL.withdraw_project, name)
                raise

    async def _complete(self, name: str, template: str) -> None:
        async with self._locked(name) as registry:
            project = await registry.fetch_row(SQL.get_project, name)
            if project is None or project["state"] != "creating":
                return
            await self._make_database(f"project_{name}", template)
            await registry.fetch_value(SQL.change_state, name, ["creating"], "ready")
        log.info("project_ready", project=name)

    async def _make_database(self, database: str, template: str) -> None:
        found = await self._describe(database, template)
        if found["invalid"]:
            await self._registry.execute_text(f"DROP DATABASE {quote_ident(database)}")
        elif found["mark"] not in (None, self._mark):
            raise foreign(database)
        if not found["has_template"]:
            await self.make_template(template)
        owner = await self._owner_role(database, exists=found["has_owner_role"])
        if found["invalid"] is not False:
            await self._registry.execute_text(
                f"CREATE DATABASE {quote_ident(database)} OWNER {quote_ident(owner)}"
                f" TEMPLATE {quote_ident(template)} STRATEGY wal_log ALLOW_CONNECTIONS true"
                " IS_TEMPLATE false"
            )
        roles = await self._schema.roles()
        await self._registry.execute_text(
            f"{admission(database, roles)};"
            f"COMMENT ON DATABASE {quote_ident(database)} IS {quote_literal(self._mark)}"
        )

    async def prepare(self, name: str) -> None:
        """Make sure, before a new project is announced, that its database can be made.

        Raises:
            Conflict: It exists already, as another registry's may; or pgvector is too old.
            Forbidden, NotFound: The server lacks what a project needs; the hint says what.

        """
        template = await self._schema.template_name()
        found = await self._describe(f"project_{name}", template)
        if found["invalid"] is False:
            # Our caller knew of no such project; another process may have announced it since.
            if await self._registry.fetch_row(SQL.get_project, name) is None:
                raise foreign(f"project_{name}")
        elif not found["has_template"]:
            # What may pass by itself is left to `complete`, which tries again.
            async with self._turns:
                with suppress(Unavailable, OutcomeUnknown):
                    await self.make_template(template)

    @property
    def _mark(self) -> str:
        """The comment on a database that says whose it is."""
        return f"Undercroft: a project of {self._registry.name}"

    async def _owner_role(self, database: str, *, exists: bool) -> str:
        """The NOLOGIN role that owns this database; our own where roles are not ours to make."""
        roles = await self._schema.roles()
        if not roles.separate:
            return roles.login
        create = "" if exists else f"CREATE ROLE {quote_ident(database)} NOLOGIN;"
        await self._registry.execute_text(
            f"{create}GRANT {quote_ident(database)} TO {quote_ident(roles.login)}"
            f"{roles.membership(inherit=True)}"
        )
        return database

    async def _describe(self, database: str, template: str) -> Mapping[str, Any]:
        """What PostgreSQL knows of a database, its owner role and its template."""
        (row,) = await self._registry.fetch(SQL.describe_database, database, template)
        return dict(row)

    async def make_template(self, template: str) -> None:
        """Build the template of this schema version once, whoever asks first."""
        building = f"{template}_new"
        # A template serves every registry of the server, and a lock of ours ends at our database.
        async with self._locked(template), self._schema.alone(template):
            found = await self._describe(building, template)
            if found["has_template"]:
                return
            await self._drop(building)
            await self._registry.execute_text(f"CREATE DATABASE {quote_ident(building)}")
            await self._schema.fill(building)
            await self._pools.forget(building)
            await self._registry.execute_text(
                f"ALTER DATABASE {quote_ident(building)} WITH ALLOW_CONNECTIONS false"
            )
            # A pooler keeps sessions of its own open, and nobody may be in while the name changes.
            await self._registry.fetch_value(SQL.end_sessions, building)
            await self._registry.execute_text(
                f"ALTER DATABASE {quote_ident(building)} RENAME TO {quote_ident(template)}"
            )
        log.info("template_made", template=template)

    async def close(self, name: str) -> None:
        """Let nobody into the database of an archived project."""
        database = f"project_{name}"
        async with self._turns, self._locked(name) as registry:
            project = await registry.fetch_row(SQL.get_project, name)
            if project is None or project["state"] != "archived":
                return
            await self._registry.execute_text(
                f"ALTER DATABASE {quote_ident(database)} WITH ALLOW_CONNECTIONS false"
            )
        await self._pools.forget(database)
        await self._registry.fetch_value(SQL.end_sessions, database)

    @asynccontextmanager
    async def visit(self, name: str) -> AsyncIterator[None]:
        """Let ourselves into the database of an archived project for the length of the block.

        Should we be killed meanwhile, the next start closes it again.

        Raises:
            NotFound: It is not archived any more.

        """
        database = f"project_{name}"
        async with self._turns, self._locked(name) as registry:
            project = await registry.fetch_row(SQL.get_project, name)
            if project is None or project["state"] != "archived":
                raise NotFound(f"The project {name} is not archived any more.")
            quoted = quote_ident(database)
            await self._registry.execute_text(
                f"ALTER DATABASE {quoted} WITH ALLOW_CONNECTIONS true"
            )
            try:
                yield
            finally:
                await self._registry.execute_text(
                    f"ALTER DATABASE {quoted} WITH ALLOW_CONNECTIONS false"
                )
                await self._pools.forget(database)

    async def open(self, name: str) -> None:
        """Let users into a project's database again."""
        database = quote_ident(f"project_{name}")
        async with self._turns, self._locked(name) as registry:
            await self._registry.execute_text(
                f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true"
            )
            await registry.fetch_value(SQL.change_state, name, ["archived"], "ready")

    async def drop(self, name: str) -> None:
        """Destroy the database of a project in the state `dropping`, then forget the project."""
        database = f"project_{name}"
        await self._pools.forget(database)
        async with self._turns, self._locked(name) as registry:
            project = await registry.fetch_row(SQL.get_project, name)
            if project is None or project["state"] != "dropping":
                return
            await self._destroy(database)
            await registry.execute(SQL.delete_project, name)
        log.info("project_dropped", project=name)

    async def _destroy(self, database: str) -> None:
        found = await self._describe(database, database)
        if found["mark"] not in (None, self._mark):
            raise foreign(database)
        await self._drop(database)
        if found["has_owner_role"]:
            await self._registry.execute_text(f"DROP ROLE {quote_ident(database)}")

    async def _drop(self, database: str) -> None:
        """Not WITH (FORCE): that fails on an autovacuum worker, which a plain DROP sends away."""
        await self._registry.fetch_value(SQL.end_sessions, database)
        await self._registry.execute_text(f"DROP DATABASE IF EXISTS {quote_ident(database)}")

    async def reconcile(self) -> None:
        """Finish what a crash has left half-way; one broken project does not stop the others."""
        for row in await self._registry.fetch(SQL.list_unsettled):
            name, state = row["name"], row["state"]
            try:
                await self._settle(name, state, has_database=row["has_database"])
            except Exception as error:
                log.warning("project_unsettled", project=name, state=state, exc_info=error)

    async def _settle(self, name: str, state: str, *, has_database: bool) -> None:
        if state == "creating":
            await self.complete(name)
        elif state == "dropping":
            await self.drop(name)
        elif state == "archived":
            await self.close(name)
        else:
            log.error("project_damaged", project=name, has_database=has_database)

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[Database]:
        """One process at a time; polled, because a waiter in PostgreSQL would hold a snapshot."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LOCK_PATIENCE
        while True:
            async with self._registry.transaction() as transaction:
                if await transaction.fetch_value(SQL.lock_project, name):
                    yield transaction
                    return
            if loop.time() > give_up:
                raise Unavailable("Another process is working on this project's database.")
            await asyncio.sleep(0.02 + random.random() * 0.08)  # noqa: S311 - jitter


def foreign(database: str) -> Conflict:
    """The error for a database that another registry, or a person, has made."""
    return Conflict(
        f"The server has a database {database} that belongs to no project of this registry.",
        hint="Choose another name for the project.",
    )
