"""The rules of projects."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.projects.models import Project

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.projects.provision import Provisioner

SQL = load_queries(__package__)

_NAME = re.compile(r"[a-z0-9_]{1,48}")
_MAX_TEXT = 10_000
_MAX_PATH = 4096
_MAX_SETTINGS = 64 * 1024


class Projects:
    """Projects of one registry."""

    def __init__(self, registry: Database, provisioner: Provisioner) -> None:
        self._db = registry
        self._provisioner = provisioner

    async def create(
        self,
        name: str,
        description: str = "",
        root: str = "",
        settings: dict[str, Any] | None = None,
    ) -> Project:
        """Create a project with a database of its own; the same again returns the same.

        Raises:
            InvalidInput: The name, root or settings are not allowed.
            Conflict: The name belongs to a project that differs, or is archived.

        """
        check_name(name)
        root = checked_root(root)
        configured = checked_settings(settings or {})
        _check_text(description)
        if await self._db.fetch_row(SQL.get_project, name) is None:
            await self._provisioner.prepare(name)
        inserted = await self._db.fetch_value(
            SQL.insert_project, name, description, root, configured, self._db.actor
        )
        if inserted is None:
            self._refuse_other(await self.get(name), description, root, configured)
        await self._provisioner.complete(name)
        return await self.get(name)

    def _refuse_other(self, project: Project, description: str, root: str, settings: str) -> None:
        if project.state in ("archived", "dropping"):
            raise Conflict(
                f"The project {project.name} exists and is {project.state}.",
                hint="restore_project brings an archived one back; or choose another name.",
            )
        given = {"description": description, "root_path": root}
        differs = [
            name for name, value in given.items() if value not in ("", getattr(project, name))
        ]
        if settings not in ("{}", to_json(project.settings).decode()):
            differs.append("settings")
        if differs:
            raise Conflict(
                f"The project {project.name} exists with another {differs[0]}.",
                hint="update_project changes it; get_project shows it.",
            )

    async def get(self, name: str) -> Project:
        """The project of that name.

        Raises:
            NotFound: There is none.

        """
        row = await self._db.fetch_row(SQL.get_project, name)
        if row is None:
            raise await self._unknown(name)
        return Project.from_row(row)

    async def _unknown(self, name: str) -> NotFound:
        rows = await self._db.fetch(SQL.list_names, "")
        return unknown_project(name, [row["name"] for row in rows])

    async def page(self, state: str = "", limit: int = 50, cursor: str = "") -> Page[Project]:
        """Projects in order of their names; archived ones only with `state="archived"`."""
        after = str(decode_cursor(cursor, 1)[0]) if cursor else ""
        rows = await self._db.fetch(SQL.list_projects, after, state, limit + 1)
        projects = (Project.from_row(row) for row in rows)
        return page_of(projects, limit=limit, position=lambda project: [project.name])

    async def every(self, state: str = "") -> Sequence[Project]:
        """All projects in a state, whatever their number."""
        rows = await self._db.fetch(SQL.list_projects, "", state, 2**31)
        return [Project.from_row(row) for row in rows]

    async def names(self, prefix: str) -> list[str]:
        """Names that begin so, at most 100."""
        return [row["name"] for row in await self._db.fetch(SQL.list_names, prefix)]

    async def has_root(self, folder: str) -> bool:
        """Whether a project has the folder as its root already."""
        rows = await self._db.fetch(SQL.find_by_folder, folder)
        return any(row["root_path"] == folder for row in rows)

    async def update(
        self,
        name: str,
        description: str | None = None,
        root: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Project:
        """Change what is given; an empty root takes the root away."""
        if description is not None:
            _check_text(description)
        changed = await self._db.fetch_value(
            SQL.update_project,
            name,
            description,
            None if root is None else checked_root(root),
            None if settings is None else checked_settings(settings),
        )
        project = await self.get(name)
        if changed is None:
            raise Conflict(f"The project {name} is {project.state}.", hint="Restore it first.")
        return project

    async def archive(self, name: str) -> Project:
        """Close a project: nothing is destroyed, and `restore` opens it again."""
        await self._change(name, ["ready", "archived"], "archived")
        await self._provisioner.close(name)
        return await self.get(name)

    async def restore(self, name: str) -> Project:
        """Open an archived project again."""
        project = await self.get(name)
        if project.state == "archived":
            await self._provisioner.open(name)
        return await self.get(name)

    async def drop(self, name: str) -> None:
        """Destroy an archived project for good; for people only, never a tool.

        Raises:
            Conflict: It is not archived.

        """
        await self._change(name, ["archived", "dropping"], "dropping")
        await self._provisioner.drop(name)

    async def _change(self, name: str, before: list[str], after: str) -> None:
        if await self._db.fetch_value(SQL.change_state, name, before, after) is None:
            project = await self.get(name)
            raise Conflict(
                f"The project {name} is {project.state}, not {' or '.join(before)}.",
                hint="Archive a project before dropping it.",
            )


def unknown_project(name: str, known: list[str]) -> NotFound:
    """The error for a name that no project has."""
    listed = ", ".join(known[:20]) or "none yet"
    return NotFound(
        f"There is no project {name[:64]!r}.",
        hint=f"Projects: {listed}. create_project makes a new one.",
    )


def check_name(name: str) -> None:
    """Refuse what cannot be part of a database's name."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A project's name has 1 to 48 characters out of a-z, 0-9 and _.",
            hint=f"For example {name_from(name)}.",
        )


def name_from(text: str) -> str:
    """A valid name that resembles a text, such as a folder's name."""
    cleaned = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:48].rstrip("_")
    return cleaned or "my_app"


def checked_root(root: str) -> str:
    """The root without a trailing slash and without `..`."""
    if not root:
        return ""
    if not Path(root).is_absolute() or len(root) > _MAX_PATH:
        raise InvalidInput(
            f"A project's root is an absolute path of at most {_MAX_PATH} characters."
        )
    return os.path.normpath(root)


def checked_settings(settings: dict[str, Any]) -> str:
    """The settings as JSON text."""
    text = to_json(settings).decode()
    if len(text) > _MAX_SETTINGS:
        raise InvalidInput(f"A project's settings have at most {_MAX_SETTINGS} bytes of JSON.")
    return text


def _check_text(text: str) -> None:
    if len(text) > _MAX_TEXT:
        raise InvalidInput(f"A description has at most {_MAX_TEXT} characters.")
