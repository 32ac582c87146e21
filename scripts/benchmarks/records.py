"""One record in one process: the whole road but the transport, against the statement alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import to_json

from benchmarks.figures import Figure, Judgement, bare, times_bare
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import DOCUMENT, ask, bare_connection, scratch_app
from undercroft.entities.store import SQL

if TYPE_CHECKING:
    import asyncpg

    from undercroft.app import App

TEXT = to_json(DOCUMENT).decode()
RECORDS = 500
"""Records of each side that are read and updated in turn."""

GET = "get_entity by id, against its one SELECT"
CREATE = "create_entity, against its one INSERT (same indexes, same history trigger)"
UPDATE = "update_entity with whole data, against its one UPDATE"
TARGETS = {"get": (GET, 2.0), "create": (CREATE, 1.6), "update": (UPDATE, 1.6)}


@dataclass(kw_only=True)
class Turns:
    """Records of one side, handed out in turn, with the version each has."""

    ids: Sequence[UUID]
    versions: dict[UUID, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._next = cycle(self.ids)
        self.names = {entity: str(entity) for entity in self.ids}

    def read(self) -> UUID:
        """A record to read."""
        return next(self._next)

    def named(self) -> str:
        """The same, as a client names it."""
        return self.names[next(self._next)]

    def change(self) -> tuple[UUID, int]:
        """A record to change, and the version that it has now."""
        entity = next(self._next)
        version = self.versions.get(entity, 1)
        self.versions[entity] = version + 1
        return entity, version


@dataclass(kw_only=True)
class Ours:
    """Calls through the boundary."""

    app: App
    project: str
    turns: Turns

    async def get(self) -> None:
        """Read a record."""
        await ask(self.app, "get_entity", project=self.project, id=self.turns.named())

    async def create(self) -> None:
        """Store a record."""
        await ask(self.app, "create_entity", project=self.project, type="task", data=DOCUMENT)

    async def update(self) -> None:
        """Replace a record's data."""
        entity, version = self.turns.change()
        changed = {"id": str(entity), "version": version, "data": DOCUMENT}
        await ask(self.app, "update_entity", project=self.project, **changed)


@dataclass(kw_only=True)
class Bare:
    """The very statements, through a connection or a pool of the driver."""

    connection: asyncpg.Connection | asyncpg.Pool
    turns: Turns

    async def get(self) -> None:
        """Read a record."""
        require(await self.connection.fetchrow(SQL.get_entity.text, self.turns.read()))

    async def create(self) -> None:
        """Store a record."""
        arguments = ("task", 1, TEXT, "bench")
        require(await self.connection.fetchrow(SQL.insert_entity.text, *arguments))

    async def update(self) -> None:
        """Replace a record's data."""
        arguments = (*self.turns.change(), "task", 1, TEXT, "bench", None)
        require(await self.connection.fetchrow(SQL.update_entity.text, *arguments))


def require(row: Any) -> None:
    """Refuse to count a statement that touched nothing."""
    if row is None:
        raise RuntimeError("the bare statement touched no record")


async def seeded(app: App, project: str) -> tuple[Turns, Turns]:
    """A project with records for both sides."""
    await ask(app, "create_project", name=project)
    made: list[UUID] = []
    while len(made) < 2 * RECORDS:
        batch = [DOCUMENT] * 100
        answer = await ask(app, "create_entities", project=project, type="task", records=batch)
        made += [UUID(str(item["id"])) for item in answer["items"]]
    return Turns(ids=made[:RECORDS]), Turns(ids=made[RECORDS:])


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Get, create and update."""
    async with scratch_app() as app:
        effort.tell("records: a project with 1,000 records")
        mine, its = await seeded(app, "records")
        async with bare_connection(app, "project_records") as connection:
            ours = Ours(app=app, project="records", turns=mine)
            alone = Bare(connection=connection, turns=its)
            for name in TARGETS:
                effort.tell(f"records: {name}")
                pair = {"ours": getattr(ours, name), "bare": getattr(alone, name)}
                # In turn, one by one: each finds its session at rest, as a call from an agent does.
                sides = {side: timed(operation) for side, operation in pair.items()}
                samples = await interleave(sides, rounds=effort.rounds(1500, 200), warm=100)
                yield _judgement(name).figure(samples)


def _judgement(name: str) -> Judgement:
    meaning, target = TARGETS[name]
    return Judgement(
        name=name,
        meaning=meaning,
        unit="ms",
        value_unit="x",
        target=target,
        of=times_bare,
        baseline=bare,
    )
