"""Keys are rotated by processes that die at every row; values are readable all the while."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tortures.indexers import nursery
from tortures.scratch import Scratch
from tortures.secret_canaries import canary
from undercroft.app import App
from undercroft.errors import UndercroftError
from undercroft.secrets.data_keys import SQL
from undercroft.secrets.service import Secrets

PROJECTS = {"data": "turning", "master": "wrapping"}
STATEMENTS = {"data": 4, "master": 1}
"""Statements of one row: begin, count, move, commit; and the one that wraps anew."""
PAUSE = 0.2
"""Seconds between two looks."""


@dataclass(kw_only=True)
class Rotation:
    """One rotation, and what was seen of it."""

    kind: str
    rows: int
    values: dict[str, str] = field(default_factory=dict)
    deaths: int = 0
    finished: bool = False
    looks: int = 0
    """Of all values at once."""
    lost: list[str] = field(default_factory=list)
    """Values that somebody could not read at some moment."""
    left: list[str] = field(default_factory=list)
    """What is not as it should be at the end."""


async def _fill(secrets: Secrets, rotation: Rotation) -> None:
    rotation.values = {f"R{number}": canary() for number in range(rotation.rows)}
    if rotation.kind == "data":
        await secrets.set_all(rotation.values)
        return
    # Each value under a data key of its own: they are the rows here.
    for name, value in rotation.values.items():
        await secrets.set(name, value)
        active = await secrets._keys.active()  # noqa: SLF001 - as a rotation does, which would move all
        await secrets._keys.replace(active.id)  # noqa: SLF001 - as above


async def _look(secrets: Secrets, rotation: Rotation) -> None:
    """Read every value, as `use` does, but without a row for each in the log.

    Every other time as a server that has unwrapped no key yet, else as one that knows the old ones.
    """
    if rotation.looks % 2:
        secrets._keys._opened.clear()  # noqa: SLF001 - as said
        secrets._keys._ring._known.clear()  # noqa: SLF001 - as said
    try:
        rows = await secrets._db.fetch(SQL.read_values, None)  # noqa: SLF001 - as said
        found = {row["name"]: await secrets._keys.open(row) for row in rows}  # noqa: SLF001 - as said
    except UndercroftError as error:
        rotation.lost.append(error.message)
        return
    rotation.looks += 1
    rotation.lost += [name for name, value in rotation.values.items() if found.get(name) != value]


@asynccontextmanager
async def _watched(secrets: Secrets, rotation: Rotation) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            await _look(secrets, rotation)
            await asyncio.sleep(PAUSE)

    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def rotated(place: Scratch, app: App, kind: str, rows: int) -> Rotation:
    """Rotate with a death at every row, until one process comes to its end."""
    rotation = Rotation(kind=kind, rows=rows)
    project = PROJECTS[kind]
    await (await app.projects("torture")).create(project)
    secrets = await app.secrets(project)
    await _fill(secrets, rotation)
    dice = random.Random()  # noqa: S311 - another run each time
    async with nursery(place, "tortures.secret_rotator") as crowd, _watched(secrets, rotation):
        while rotation.deaths < 3 * rows:
            statement = dice.randint(0, STATEMENTS[kind])
            child = await crowd.order(
                kind=kind, keys=str(place.keys), project=project, statement=statement
            )
            if (end := await child.ended) != -signal.SIGKILL:
                rotation.finished = end == 0
                break
            rotation.deaths += 1
    rotation.left += crowd.mistakes
    await _see_end(place, rotation)
    return rotation


async def _see_end(place: Scratch, rotation: Rotation) -> None:
    """A server that knows nothing of all this reads every value; no older key is left."""
    async with place.app() as fresh:
        secrets = await fresh.secrets(PROJECTS[rotation.kind])
        await _look(secrets, rotation)
    async with place.asked(f"project_{PROJECTS[rotation.kind]}") as admin:
        column = "id" if rotation.kind == "data" else "wrapped_by"
        text = (
            "SELECT count(DISTINCT k.id) AS id, count(DISTINCT k.wrapped_by) AS wrapped_by"
            " FROM vault.secret_versions AS v JOIN vault.encryption_keys AS k ON k.id = v.key_id"
        )
        row = await admin.fetchrow(text)
    if row[column] != 1:
        rotation.left.append(f"{row[column]} keys are in use")
