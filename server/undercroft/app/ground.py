"""The database side of an application: built on the first call that needs it.

A client that only lists tools never pays for the driver or for PostgreSQL.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from undercroft.app.chores import Chores, tidy
from undercroft.codebase.choice import Models
from undercroft.db.connector import Connector
from undercroft.db.database import Database
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.db.external import ExternalPostgres
from undercroft.db.pools import Pools
from undercroft.db.schemas import Schemas
from undercroft.errors import UndercroftError
from undercroft.ports.machine import Machine, this_machine
from undercroft.ports.service import Ports
from undercroft.projects.directory import ProjectFinder
from undercroft.projects.provision import Provisioner
from undercroft.projects.service import Projects
from undercroft.secrets.ring import KeyRing

if TYPE_CHECKING:
    from undercroft.db.source import Source
    from undercroft.settings import Settings

log = structlog.get_logger("undercroft.ground")

HEAD_START = 0.5
"""Seconds for which the first call has the registry's one connection to itself."""


@dataclass(kw_only=True)
class Ground:
    """What stands under the rooms while the server runs."""

    source: Source
    pools: Pools
    schemas: Schemas
    registry: Database
    provisioner: Provisioner
    finder: ProjectFinder
    chores: Chores
    models: Models
    machine: Machine
    ring: KeyRing

    async def close(self) -> None:
        """Give back every connection, then leave the server."""
        await self.chores.end()
        # What works in the background ends with its pool, and may still ask a model until then.
        await self.pools.close()
        await self.models.close()
        await self.source.close()


def source_of(settings: Settings) -> tuple[Source, str]:
    """The server that the settings name, and a database on it that always exists."""
    if settings.database_url:
        external = ExternalPostgres(settings.database_url)
        return external, external.database
    return EmbeddedPostgres(settings.home, settings.postgres_bindir), "postgres"


async def lay(settings: Settings) -> Ground:
    """Start or join PostgreSQL, bring the registry up, settle what a crash left half-way."""
    from undercroft.entities.service import install_builtin_types  # noqa: PLC0415

    source, maintenance = source_of(settings)
    pools = Pools(Connector(source), settings.pool_budget)
    schemas = Schemas(pools, settings, maintenance, install_builtin_types)
    try:
        registry = await schemas.registry()
    except BaseException:
        await pools.close()
        await source.close()
        raise
    provisioner = Provisioner(registry, pools, schemas)
    chores = Chores()

    async def open_project(name: str) -> Database:
        database = await schemas.project(name)
        chores.begin(tidy(database))
        return database

    machine = await asyncio.to_thread(this_machine, settings.home, settings.machine)
    chores.begin(_settle(provisioner))
    chores.begin(tidy(registry, Ports(registry, machine).forget))
    finder = ProjectFinder(registry, open_project, settings.project)
    return Ground(
        source=source,
        pools=pools,
        schemas=schemas,
        registry=registry,
        provisioner=provisioner,
        finder=finder,
        chores=chores,
        models=Models.of(settings, Projects(registry, provisioner).settings_of),
        machine=machine,
        ring=KeyRing(registry, settings),
    )


async def _settle(provisioner: Provisioner) -> None:
    await asyncio.sleep(HEAD_START)
    try:
        await provisioner.reconcile()
    except UndercroftError as error:
        log.warning("reconcile_failed", error=error.code)


def health(ground: Ground | None) -> dict[str, Any]:
    """Pool figures, or that nothing was opened yet."""
    return {"started": False} if ground is None else {"started": True, **ground.pools.figures()}
