"""Which project a call means, and its database ready for work: one flight for many callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undercroft.checkout import checkout_of
from undercroft.db.queries import load_queries
from undercroft.errors import Forbidden, InvalidInput, NotFound
from undercroft.mcp.call import OpenProject
from undercroft.projects.service import unknown_project

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__)

REMEMBER = 5.0
"""Seconds for which a folder's project is remembered; another process may change roots."""

Opener = Callable[[str], Awaitable["Database"]]


class ProjectFinder:
    """Resolves names and folders to open databases."""

    def __init__(self, registry: Database, open_database: Opener, pinned: str = "") -> None:
        self._registry = registry
        self._open_database = open_database
        self._pinned = pinned
        self._open: dict[str, OpenProject] = {}
        self._opening: dict[str, asyncio.Task[OpenProject]] = {}
        self._by_folder: dict[Path, tuple[float, str]] = {}

    def opened(self, name: str) -> OpenProject | None:
        """The project of that name, or the pinned one, if it is open already."""
        return self._open.get(name or self._pinned)

    async def find(self, name: str, folder: Path | None) -> OpenProject:
        """The project that is meant.

        Raises:
            Forbidden: The server is pinned to another project.
            InvalidInput: No project was named and none follows from the folder.
            NotFound: There is no such project, or it is archived.

        """
        name = await self._meant(name, folder)
        return self._open.get(name) or await self._opened(name)

    async def named(self, name: str, folder: Path | None) -> str:
        """The name of the project that is meant; its database stays closed.

        Raises:
            Forbidden, InvalidInput, NotFound: As of `find`.

        """
        name = await self._meant(name, folder)
        if name not in self._open:
            await self._ready(name)
        return name

    async def _meant(self, name: str, folder: Path | None) -> str:
        if self._pinned and name not in ("", self._pinned):
            raise Forbidden(f"This server serves only the project {self._pinned}.")
        return name or self._pinned or await self._of_folder(folder)

    def forget(self, name: str) -> None:
        """Look the project up anew on its next use."""
        self._open.pop(name, None)
        self._by_folder.clear()

    async def _opened(self, name: str) -> OpenProject:
        if name not in self._opening:
            task = asyncio.get_running_loop().create_task(self._look_up(name))
            task.add_done_callback(lambda _: self._opening.pop(name, None))
            self._opening[name] = task
        # One caller's cancellation must not take the database from the others.
        return await asyncio.shield(self._opening[name])

    async def _look_up(self, name: str) -> OpenProject:
        row = await self._ready(name)
        database = await self._open_database(row["database_name"])
        found = self._open[name] = OpenProject(name=name, database=database)
        return found

    async def _ready(self, name: str) -> Mapping[str, Any]:
        row: Mapping[str, Any] | None = await self._registry.fetch_row(SQL.get_project, name)
        if row is None:
            rows = await self._registry.fetch(SQL.list_names, "")
            raise unknown_project(name, [known["name"] for known in rows])
        if row["state"] != "ready":
            raise NotFound(
                f"The project {name} is {row['state']}.",
                hint="restore_project brings an archived project back; create_project again "
                "finishes one that is being created.",
            )
        return row

    async def _of_folder(self, folder: Path | None) -> str:
        now = asyncio.get_running_loop().time()
        if folder is None:
            raise await self._nothing_named()
        known = self._by_folder.get(folder)
        if known and known[0] > now:
            return known[1]
        rows = await self._containing(folder)
        if not rows:
            raise await self._nothing_named()
        deepest = [row["name"] for row in rows if row["root_path"] == rows[0]["root_path"]]
        if len(deepest) > 1:
            raise InvalidInput(
                "Several projects have the working folder as their root.",
                hint=f"Name one with `project`: {', '.join(deepest)}.",
            )
        self._by_folder[folder] = (now + REMEMBER, deepest[0])
        return str(deepest[0])

    async def _containing(self, folder: Path) -> Sequence[Mapping[str, Any]]:
        """Projects whose root contains the folder, the deepest first.

        A linked worktree belongs to the project of its main checkout, unless it has its own: which
        folder happens to be above it says less.
        """
        rows = await self._registry.fetch(SQL.find_by_folder, str(folder))
        checkout = checkout_of(folder)
        if checkout.is_linked and not (
            rows and Path(rows[0]["root_path"]).is_relative_to(checkout.top)
        ):
            place = str(checkout.in_main(folder))
            rows = await self._registry.fetch(SQL.find_by_folder, place) or rows
        return rows

    async def _nothing_named(self) -> InvalidInput:
        rows = await self._registry.fetch(SQL.list_names, "")
        names = ", ".join(row["name"] for row in rows[:20])
        hint = f"Name one with `project`: {names}." if names else "create_project makes the first."
        return InvalidInput("No project was named, and none has the working folder.", hint=hint)
