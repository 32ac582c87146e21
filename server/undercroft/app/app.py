"""One application: what the transports, the command line and Python programs share."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undercroft.codebase.roots import Roots
from undercroft.codebase.service import Codebase
from undercroft.codebase.tools import tools as codebase_tools
from undercroft.entities.service import Entities
from undercroft.entities.tools import tools as entity_tools
from undercroft.mcp.boundary import Boundary
from undercroft.mcp.toolset import Toolset, choose
from undercroft.ports.service import Ports
from undercroft.ports.tools import tools as port_tools
from undercroft.projects.service import Projects
from undercroft.projects.tools import tools as project_tools
from undercroft.secrets.service import Secrets
from undercroft.secrets.tools import tools as secret_tools

if TYPE_CHECKING:
    from undercroft.app.ground import Ground
    from undercroft.db.database import Database
    from undercroft.mcp.call import OpenProject
    from undercroft.secrets.asking import Asking
    from undercroft.secrets.models import Rotated
    from undercroft.settings import Settings

TOOLSETS: tuple[Toolset, ...] = (
    project_tools,
    entity_tools,
    codebase_tools,
    port_tools,
    secret_tools,
)
"""Every room; a new one is a folder and an entry here and in `App.services`."""


class App:
    """The rooms over one PostgreSQL. Nothing is started before the first call."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._ground: Ground | None = None
        self._roots = Roots.named(settings.index_roots, local=settings.transport == "stdio")
        self._laying: asyncio.Task[Ground] | None = None
        catalog = choose(TOOLSETS, settings.toolsets, read_only=settings.read_only)
        self.boundary = Boundary(
            catalog=catalog,
            hidden=_hidden(catalog.tools, read_only=settings.read_only),
            directory=self,
            services=self.services,
            timeout=settings.call_timeout,
        )

    @property
    def services(self) -> dict[type, Callable[[Database], Any]]:
        """What builds the service of each room for one call."""
        return {
            Projects: lambda database: Projects(database, self.started.provisioner),
            Entities: Entities,
            Codebase: lambda database: Codebase(database, self._roots, self.started.models),
            Ports: lambda database: Ports(database, self.started.machine),
            Secrets: lambda database: Secrets(database, self.started.ring, self.asking),
        }

    @cached_property
    def asking(self) -> Asking:
        """Where persons are asked for secrets."""
        from undercroft.secrets.asking import PATIENCE, Asking  # noqa: PLC0415 - a web server

        # A call must have its answer before its deadline, whatever the person does.
        return Asking(min(PATIENCE, self.settings.call_timeout / 2))

    @property
    def started(self) -> Ground:
        """The database side, which a call has brought up before its service is built."""
        if self._ground is None:
            raise RuntimeError("no call has started the database side yet")
        return self._ground

    @property
    def ground_or_none(self) -> Ground | None:
        """The database side if anything has needed it."""
        return self._ground

    async def ground(self) -> Ground:
        """The database side, brought up once for all who ask; tried anew after a failure."""
        if self._ground is not None:
            return self._ground
        laying = self._laying = self._laying or asyncio.create_task(self._lay())
        try:
            return await asyncio.shield(laying)
        finally:
            # Many wait for one task: the first to wake makes room for another try.
            if laying.done() and self._laying is laying:
                self._laying = None

    async def _lay(self) -> Ground:
        collecting = gc.isenabled()
        # As at the start: loading modules makes nothing but what stays.
        gc.disable()
        try:
            from undercroft.app.ground import lay  # noqa: PLC0415 - the driver, on first use

            self._ground = await lay(self.settings)
        finally:
            if collecting:
                gc.enable()
        return self._ground

    async def registry(self) -> Database:
        """The registry, started and migrated."""
        return (await self.ground()).registry

    def opened(self, name: str) -> OpenProject | None:
        """The named project if it is open already."""
        return self._ground.finder.opened(name) if self._ground else None

    async def named(self, name: str, folder: Path | None = None) -> str:
        """The name of the project that `open` would open; its database stays closed."""
        return await (await self.ground()).finder.named(name, folder)

    async def open(self, name: str, folder: Path | None = None) -> OpenProject:
        """The named project, or the one whose root contains the folder."""
        return await (await self.ground()).finder.find(name, folder)

    async def entities(self, project: str, actor: str = "python") -> Entities:
        """The entities room of a project, for a Python program."""
        return Entities((await self.open(project)).database.acting_as(actor))

    async def codebase(self, project: str, actor: str = "python") -> Codebase:
        """The codebase room of a project, for a Python program."""
        database = (await self.open(project)).database.acting_as(actor)
        return Codebase(database, self._roots, self.started.models)

    async def ports(self, actor: str = "python") -> Ports:
        """The ports room of this machine, for a Python program."""
        ground = await self.ground()
        return Ports(ground.registry.acting_as(actor), ground.machine)

    async def secrets(self, project: str, actor: str = "python") -> Secrets:
        """The secrets room of a project, for a Python program."""
        database = (await self.open(project)).database.acting_as(actor)
        return Secrets(database, self.started.ring)

    async def rotate_master_key(self) -> Rotated:
        """Wrap the data keys of all projects with another key-encryption key."""
        from undercroft.app.master_key import rotate_master_key  # noqa: PLC0415 - the rare case

        return await rotate_master_key(await self.ground())

    async def projects(self, actor: str = "python") -> Projects:
        """The projects room, for a Python program."""
        ground = await self.ground()
        return Projects(ground.registry.acting_as(actor), ground.provisioner)

    async def close(self) -> None:
        """Let calls in flight finish within the deadline, then give everything back."""
        await self.boundary.drain(self.settings.shutdown_timeout)
        if "asking" in vars(self):
            await self.asking.close()
        if self._laying is not None:
            await asyncio.gather(self._laying, return_exceptions=True)
        if self._ground is not None:
            await self._ground.close()
            self._ground = None


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """An application for the length of the block."""
    app = App(settings)
    try:
        yield app
    finally:
        await app.close()


def _hidden(offered: Any, *, read_only: bool) -> dict[str, str]:
    """Why each tool that exists is not offered."""
    reasons = {}
    for tool in (tool for toolset in TOOLSETS for tool in toolset.tools):
        if tool.name in offered:
            continue
        reasons[tool.name] = (
            "The server runs read-only."
            if read_only and tool.writes
            else f"Start it with --toolsets default,{tool.toolset}."
        )
    return reasons
