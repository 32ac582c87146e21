"""Rotation of the key-encryption key: every project's data keys are wrapped anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from undercroft.errors import UndercroftError
from undercroft.projects.service import Projects
from undercroft.secrets.models import Rotated
from undercroft.secrets.wrapping import rewrap, wrappers

if TYPE_CHECKING:
    from undercroft.app.ground import Ground
    from undercroft.db.database import Database
    from undercroft.projects.models import Project

log = structlog.get_logger("undercroft.master_key")


async def rotate_master_key(ground: Ground) -> Rotated:
    """Wrap with another key, in archived projects as well; finish what was cut off instead.

    The older key stays with its provider: a project that could not be reached, and every backup
    made before, still needs it.
    """
    named = await _named(ground)
    current = await ground.ring.current(sorted(named), anew=True)
    done = await _wrap(ground) if named - {current.id} else _Wrapped()
    # Nothing to finish, or what is left cannot be: then a rotation of its own begins.
    if not done.moved:
        current = await ground.ring.replace()
        done = await _wrap(ground)
    return Rotated(
        key=current.id,
        moved=done.moved,
        left=len(done.left),
        damaged=done.damaged,
        older=sorted(done.named - {current.id}),
    )


@dataclass
class _Wrapped:
    """What became of the data keys of all projects."""

    moved: int = 0
    damaged: int = 0
    left: set[str] = field(default_factory=set)
    """Projects that could not be reached."""
    named: set[str] = field(default_factory=set)
    """Key-encryption keys that the others name afterwards."""


async def _wrap(ground: Ground) -> _Wrapped:
    total = _Wrapped()
    for project in await _every(ground):
        try:
            async with _open(ground, project) as database:
                done = await rewrap(database, ground.ring)
                total.moved += done.moved
                total.damaged += done.damaged
                total.named |= set(await wrappers(database))
        except UndercroftError as error:
            total.left.add(project.name)
            log.warning("key_not_rotated", project=project.name, error=error.code)
    return total


async def _named(ground: Ground) -> set[str]:
    """Keys that projects name, as far as they can be asked."""
    named: set[str] = set()
    for project in await _every(ground):
        try:
            async with _open(ground, project) as database:
                named |= set(await wrappers(database))
        except UndercroftError as error:
            log.warning("key_not_seen", project=project.name, error=error.code)
    return named


async def _every(ground: Ground) -> list[Project]:
    projects = Projects(ground.registry, ground.provisioner)
    return [one for state in ("ready", "archived") for one in await projects.every(state)]


@asynccontextmanager
async def _open(ground: Ground, project: Project) -> AsyncIterator[Database]:
    if project.state == "archived":
        async with ground.provisioner.visit(project.name):
            yield await ground.schemas.project(project.database_name)
    else:
        yield await ground.schemas.project(project.database_name)
