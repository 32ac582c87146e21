"""Work made, changed, claimed and finished in one process, against plain statements."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Judgement, bare, times_bare
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from benchmarks.records import require
from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    import asyncpg

    from undercroft.app import App

PROJECT = "work"
TITLE = "Bring the retry policy in line with the gateway"
FIELDS: dict[str, Any] = {
    "priority": 1,
    "labels": ["network", "reliability"],
    "description": "The client retries five times without a pause; the gateway allows three a "
    "second. Read the limit from the response and back off with jitter.",
}
CHANGE = {"status": "in_progress", "description": "Read the limit from the response."}
BACK = {"status": "pending", "description": FIELDS["description"]}

MEANINGS = {
    "create": "create_work, against a plain INSERT of the item and of its version",
    "update": "update_work of status and text, against a plain UPDATE and its version",
    "claim": "claim_work of the best ready item, against a plain UPDATE SKIP LOCKED, its version "
    "and its clock",
    "finish": "finish_work under a claim, against a plain UPDATE, its version and its clock",
}

SQL = load_queries("benchmarks", "work.sql")


@dataclass(kw_only=True)
class Side:
    """The same four deeds on either road; what one makes another takes up."""

    made: list[tuple[str, int]] = field(default_factory=list)
    """Items with their versions."""
    claimed: list[tuple[str, int]] = field(default_factory=list)
    """Items with the epochs of their claims."""
    turn: int = 0

    def next(self) -> tuple[str, int, dict[str, Any]]:
        """An item to change, with its version and what it changes to."""
        place = self.turn % len(self.made)
        fields = CHANGE if self.turn // len(self.made) % 2 == 0 else BACK
        item, version = self.made[place]
        self.made[place] = item, version + 1
        self.turn += 1
        return item, version, fields


@dataclass(kw_only=True)
class Ours(Side):
    """Calls through the boundary."""

    app: App

    async def create(self) -> None:
        """An item."""
        answer = await ask(self.app, "create_work", project=PROJECT, title=TITLE, fields=FIELDS)
        self.made.append((answer["id"], answer["version"]))

    async def update(self) -> None:
        """Other fields."""
        item, version, fields = self.next()
        changed = {"id": item, "version": version, "fields": fields}
        await ask(self.app, "update_work", project=PROJECT, **changed)

    async def claim(self) -> None:
        """The best one."""
        answer = await ask(self.app, "claim_work", project=PROJECT, agent="ours")
        self.claimed.append((answer["id"], answer["epoch"]))

    async def finish(self) -> None:
        """One that is claimed."""
        item, epoch = self.claimed.pop()
        await ask(self.app, "finish_work", project=PROJECT, id=item, epoch=epoch)


@dataclass(kw_only=True)
class Bare(Side):
    """Plain statements, through the driver."""

    connection: asyncpg.Connection

    async def create(self) -> None:
        """An item."""
        given = (TITLE, FIELDS["description"], FIELDS["priority"], FIELDS["labels"])
        row = await self.connection.fetchrow(SQL.create.text, *given)
        require(row)
        self.made.append((row["id"], row["version"]))

    async def update(self) -> None:
        """Other fields."""
        item, version, fields = self.next()
        category = "todo" if fields["status"] == "pending" else "doing"
        given = (item, version, fields["status"], category, fields["description"])
        require(await self.connection.fetchrow(SQL.update.text, *given))

    async def claim(self) -> None:
        """The best one."""
        row = await self.connection.fetchrow(SQL.claim.text)
        require(row)
        self.claimed.append((row["id"], row["epoch"]))

    async def finish(self) -> None:
        """One that is claimed."""
        item, epoch = self.claimed.pop()
        require(await self.connection.fetchrow(SQL.finish.text, item, epoch))


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Create, update, claim, finish."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        async with bare_connection(app, f"project_{PROJECT}") as connection:
            await connection.execute(SQL.make_tables.text)
            ours, alone = Ours(app=app), Bare(connection=connection)
            rounds = effort.rounds(1_000, 150)
            for name in MEANINGS:
                effort.tell(f"work: {name}")
                if name == "claim":
                    await _reopen(ours, alone)
                sides: dict[str, Callable[[], Awaitable[None]]] = {
                    "ours": getattr(ours, name),
                    "bare": getattr(alone, name),
                }
                samplers = {side: timed(operation) for side, operation in sides.items()}
                warm = 0 if name == "finish" else 50
                samples = await interleave(samplers, rounds=rounds, warm=warm)
                yield _judgement(name).figure(samples)


async def _reopen(*sides: Side) -> None:
    """All that was made can be claimed."""
    connection = next(side.connection for side in sides if isinstance(side, Bare))
    for reopening in (SQL.reopen, SQL.reopen_ours):
        await connection.execute(reopening.text)


def _judgement(name: str) -> Judgement:
    return Judgement(
        name=name,
        meaning=MEANINGS[name],
        unit="ms",
        value_unit="x",
        target=1.8,
        of=times_bare,
        baseline=bare,
    )
