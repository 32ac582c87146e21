"""Rotation of the key-encryption key: every project's data keys are wrapped anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
    named, _ = await _named(ground)
    current = await ground.ring.current(sorted(named), anew=True)
    moved, damaged, left = await _wrap(ground) if named - {current.id} else (0, 0, set())
    # Nothing to finish, or what is left cannot be: then a rotation of its own begins.
    if not moved:
        current = await ground.ring.replace()
        moved, damaged, left = await _wrap(ground)
    # Another server may have made a data key meanwhile.
    named, mute = await _named(ground)
    return Rotated(
        key=current.id,
        moved=moved,
        left=len(left | mute),
        damaged=damaged,
        older=sorted(named - {current.id}),
    )


async def _wrap(ground: Ground) -> tuple[int, int, set[str]]:
    """How many data keys were wrapped anew, how many are damaged, and the projects left out."""
    moved, damaged = 0, 0
    left: set[str] = set()
    for project in await _every(ground):
        try:
            async with _open(ground, project) as database:
                done = await rewrap(database, ground.ring)
        except UndercroftError as error:
            left.add(project.name)
            log.warning("key_not_rotated", project=project.name, error=error.code)
        else:
            moved, damaged = moved + done.moved, damaged + done.damaged
    return moved, damaged, left


async def _named(ground: Ground) -> tuple[set[str], set[str]]:
    """Keys that projects name, and the projects that cannot be asked."""
    named: set[str] = set()
    mute: set[str] = set()
    for project in await _every(ground):
        try:
            async with _open(ground, project) as database:
                named |= set(await wrappers(database))
        except UndercroftError as error:
            mute.add(project.name)
            log.warning("key_not_seen", project=project.name, error=error.code)
    return named, mute


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
