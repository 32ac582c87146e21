"""What is right and what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from undercroft.app.doctor_models import examine_models, of_choice
from undercroft.app.doctor_secrets import examine_keys, examine_log, examine_wrapping
from undercroft.app.finding import Finding
from undercroft.app.ground import source_of
from undercroft.db.connector import Connector
from undercroft.db.pools import Pools
from undercroft.db.queries import load_queries
from undercroft.db.schemas import Schemas
from undercroft.db.vector import INSTALL, UPDATE, create_in, too_old
from undercroft.errors import NotFound, UndercroftError
from undercroft.secrets.ring import KeyRing
from undercroft.settings import fields, variable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from undercroft.settings import Settings

SQL = load_queries(__package__, "doctor.sql")

MINIMUM_POSTGRESQL = 150_000


def describe_settings(settings: Settings) -> list[dict[str, str]]:
    """Each setting with its value and where it came from; secrets masked."""
    shown = []
    for field in fields():
        value = getattr(settings, field.name)
        text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
        masked = "[set]" if field.metadata.get("secret") and value else text
        origin = settings.sources.get(field.name, "default")
        shown.append(
            {
                "setting": field.name,
                "value": masked,
                "from": origin,
                "variable": variable(field.name),
            }
        )
    return shown


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the server, our rights on it, the registry and every project."""
    source, maintenance = source_of(settings)
    pools = Pools(Connector(source), settings.pool_budget)
    quick = dataclasses.replace(settings, auto_migrate=False)
    try:
        patience = settings.acquire_timeout
        async with pools.dedicated(maintenance, patience) as connection:
            server = dict(await connection.fetchrow(SQL.describe_server.text))
        server["has_vector"] = server["may_create_vector"] or await _template_has_vector(pools)
        for finding in _of_server(server, settings, pooler=pools.behind_pooler):
            yield finding
        schemas = Schemas(pools, quick, maintenance, _nothing)
        async for finding in _of_registry(schemas, pools, quick):
            yield finding
    except UndercroftError as error:
        yield Finding(what="PostgreSQL", verdict="wrong", says=error.message, mend=error.hint)
    finally:
        await pools.close()
        await source.close()
    async for finding in examine_models(settings):
        yield finding


def _of_server(server: Mapping[str, Any], settings: Settings, *, pooler: bool) -> Iterator[Finding]:
    old = server["number"] < MINIMUM_POSTGRESQL
    yield Finding(
        what="PostgreSQL",
        verdict="wrong" if old else "ok",
        says=f"{server['version']}, as {server['login']}{', behind a pooler' if pooler else ''}",
        mend="Undercroft needs PostgreSQL 15 or newer." if old else "",
    )
    yield _of_vector(server["vector"], server["has_vector"], server["login"])
    yield from _of_rights(server)
    unsafe = [s for s in ("fsync", "full_page_writes", "synchronous_commit") if server[s] == "off"]
    yield Finding(
        what="durability",
        verdict="warning" if unsafe else "ok",
        says=f"{', '.join(unsafe)} off" if unsafe else "acknowledged writes survive a crash",
        mend="Turn them on: a crash can lose acknowledged writes." if unsafe else "",
    )
    tight = server["max_connections"] < 2 * settings.pool_budget
    yield Finding(
        what="connections",
        verdict="warning" if tight else "ok",
        says=f"{settings.pool_budget} for this process of {server['max_connections']} in all",
        mend="Lower UNDERCROFT_POOL_BUDGET or raise max_connections." if tight else "",
    )


async def _template_has_vector(pools: Pools) -> bool | None:
    """None: nobody lets us look."""
    try:
        async with pools.dedicated("template1") as connection:
            return bool(await connection.fetchval(SQL.has_vector.text))
    except UndercroftError:
        return None


def _of_vector(version: str | None, has: bool | None, login: str) -> Finding:
    if version is None:
        return Finding(
            what="pgvector",
            verdict="wrong",
            says="not installed on the server",
            mend=INSTALL,
        )
    if not has:
        return Finding(
            what="pgvector",
            verdict="warning" if has is None else "wrong",
            says=f"{version}, which {login} may not create, "
            f"and template1 {'cannot be looked at' if has is None else 'does not have it'}",
            mend=create_in("template1"),
        )
    old = too_old(version)
    return Finding(
        what="pgvector",
        verdict="wrong" if old else "ok",
        says=version,
        mend=f"{UPDATE} template1." if old else "",
    )


def _of_rights(server: Mapping[str, Any]) -> Iterator[Finding]:
    login = server["login"]
    yield Finding(
        what="right to create databases",
        verdict="ok" if server["may_create_databases"] else "wrong",
        says="yes" if server["may_create_databases"] else "no",
        mend=""
        if server["may_create_databases"]
        else f'As superuser: ALTER ROLE "{login}" CREATEDB;',
    )
    roles = server["may_create_roles"]
    yield Finding(
        what="right to create roles",
        verdict="ok" if roles else "warning",
        says="yes: tables belong to a role of their own"
        if roles
        else "no: one role serves for all",
        mend="" if roles else f'As superuser: ALTER ROLE "{login}" CREATEROLE;',
    )
    if server["superuser"]:
        yield Finding(
            what="login",
            verdict="warning",
            says=f"{login} is a superuser",
            mend="Give Undercroft a login of its own: CREATE ROLE undercroft LOGIN CREATEDB "
            "CREATEROLE PASSWORD '…';",
        )


async def _of_registry(
    schemas: Schemas, pools: Pools, settings: Settings
) -> AsyncIterator[Finding]:
    from undercroft.projects.service import SQL as PROJECTS  # noqa: PLC0415

    name = settings.registry_database
    try:
        async with pools.dedicated(name):
            pass
    except NotFound:
        yield Finding(what="registry", verdict="ok", says="will be made on first use")
        return
    registry = await schemas.registry()
    yield Finding(what="registry", verdict="ok", says=f"{name} is at this version")
    ring = KeyRing(registry, settings)
    async for finding in examine_keys(ring):
        yield finding
    unsettled = await registry.fetch(PROJECTS.list_unsettled)
    for row in unsettled:
        yield Finding(
            what=f"project {row['name']}",
            verdict="warning" if row["has_database"] or row["state"] != "ready" else "wrong",
            says=f"state {row['state']}, database {'there' if row['has_database'] else 'missing'}",
            mend="The next start of a server finishes it."
            if row["state"] != "ready"
            else "Restore the database from a backup, or drop the project.",
        )
    for row in await registry.fetch(PROJECTS.list_projects, "", "ready", 2**31):
        async for finding in _of_project(schemas, ring, row["name"], row["database_name"]):
            yield finding
        for finding in of_choice(settings, {**row, "settings": from_json(row["settings"])}):
            yield finding


async def _of_project(
    schemas: Schemas, ring: KeyRing, name: str, database: str
) -> AsyncIterator[Finding]:
    try:
        opened = await schemas.project(database)
    except UndercroftError as error:
        yield Finding(what=f"project {name}", verdict="wrong", says=error.message, mend=error.hint)
        return
    yield Finding(what=f"project {name}", verdict="ok", says=f"{database} is at this version")
    async for finding in examine_wrapping(opened, ring, name):
        yield finding
    async for finding in examine_log(opened, ring, name):
        yield finding


async def _nothing(_database: Any) -> None:
    """The doctor furnishes nothing."""
