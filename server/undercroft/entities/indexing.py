"""Indexes of the fields that a type marks: built beside the writers, mended when left half-made.

Each is partial (one type, live records) and ends with the id, so that a page of a
filtered and sorted list is read off the index and stops at its limit.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from pydantic_core import from_json

from undercroft.db.queries import quote_ident, quote_literal
from undercroft.entities.fields import indexed, searched, words
from undercroft.entities.models import IndexState
from undercroft.entities.store import SQL
from undercroft.errors import InvalidInput, UndercroftError

if TYPE_CHECKING:
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.entities")

PREFIX = "entity_x_"
"""Names that `undercroft migrate verify` leaves alone."""

PAUSE = 600.0
"""Seconds until a build that failed is tried again: each try reads all records."""

REST = 5.0
"""Seconds between two looks that nobody asked for."""

PATIENCE = 3_600.0
"""Seconds for one index to be built, beside the writers."""

ROUNDS = 20
"""How often a builder looks whether types have changed while it was building."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An index that a type asks for."""

    name: str
    fields: Sequence[str]
    on: str
    """What follows ON workflow.entities."""

    def create(self, *, concurrently: bool) -> str:
        """The statement that builds it."""
        how = "CONCURRENTLY " if concurrently else ""
        name = quote_ident(self.name)
        return f"CREATE INDEX {how}IF NOT EXISTS {name} ON workflow.entities {self.on}"


def wanted(type_name: str, definition: Mapping[str, Any]) -> list[Wanted]:
    """The indexes of a type."""
    found = []
    only = f"WHERE schema_name = {quote_literal(type_name)} AND deleted_at IS NULL"
    for fields in indexed(definition):
        keys = ", ".join(f"({one.sort_key})" for one in fields)
        names = [".".join(one.path) for one in fields]
        found.append(_named(type_name, names, f"({keys}, id) {only}"))
    if texts := searched(definition):
        names = [".".join(one.path) for one in texts]
        on = f"USING gin (({words(definition)})) {only}"
        found.append(_named(type_name, [*names, "(words)"], on))
    return list({one.name: one for one in found}.values())


def _named(type_name: str, fields: Sequence[str], on: str) -> Wanted:
    digest = hashlib.blake2b(on.encode(), digest_size=6).hexdigest()
    readable = re.sub(r"[^a-z0-9]+", "_", "_".join([type_name[:20], *fields]).lower())[:40]
    return Wanted(name=f"{PREFIX}{readable.strip('_')}_{digest}", fields=fields, on=on)


@dataclass(kw_only=True)
class IndexKeeper:
    """Brings the indexes of one database in line with its types, in the background."""

    failed: dict[str, float] = field(default_factory=dict)
    """Name of an index that could not be built → monotonic time when it may be tried again."""
    _task: asyncio.Task[None] | None = None
    _again: bool = False
    _nudged: float = float("-inf")

    @property
    def busy(self) -> bool:
        """Whether it is at work."""
        return self._task is not None and not self._task.done()

    def kick(self, db: Database) -> None:
        """Look after the indexes soon; returns at once."""
        if self.busy:
            self._again = True
        else:
            self._task = asyncio.get_running_loop().create_task(self._work(db))

    def nudge(self, db: Database) -> None:
        """As `kick`, but at most once in a while: for what happens with every call."""
        now = time.monotonic()
        if now - self._nudged > REST:
            self._nudged = now
            self.kick(db)

    async def settled(self) -> None:
        """Wait until nothing is left to do."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def end(self) -> None:
        """Stop; what is left half-made is mended by the next look."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _work(self, db: Database) -> None:
        try:
            for _ in range(ROUNDS):
                self._again = False
                await self.align(db)
                if not self._again:
                    return
        except UndercroftError as error:
            log.info("indexes_not_aligned", database=db.name, error=error.code)

    async def align(self, db: Database) -> None:
        """Build what is missing, rebuild what is half-made, drop what no type asks for."""
        # A session of its own, because `db` may belong to somebody's transaction.
        async with db.session(PATIENCE) as session:
            missing, surplus = await self._work_to_do(session)
            if not missing and not surplus:
                return
            if session.behind_pooler:
                await self._align_in_transaction(session, missing, surplus)
                return
            # Another process holds the turn, so there is no event to wait for.
            while not await session.fetch_value(SQL.try_index_turn):  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.2)
            try:
                await self._align_in_session(session)
            finally:
                await session.execute_text("RESET ROLE")
                await session.fetch_value(SQL.end_index_turn)

    async def _align_in_session(self, session: Database) -> None:
        owner = await session.fetch_row(SQL.get_owner)
        assert owner is not None  # noqa: S101 - the migration made the table
        # The one before us may have done it all.
        missing, surplus = await self._work_to_do(session)
        await session.execute_text(f"SET ROLE {owner['owner']}")
        for name in surplus:
            await session.execute_text(
                f"DROP INDEX CONCURRENTLY IF EXISTS workflow.{quote_ident(name)}"
            )
        for one in missing:
            await self._build(session, one)
        if missing:
            await session.execute_text("ANALYZE workflow.entities")

    async def _build(self, session: Database, one: Wanted) -> None:
        try:
            await session.execute_text(one.create(concurrently=True))
        except UndercroftError as error:
            # Left half-made it would cost every write and serve no reader.
            self.failed[one.name] = time.monotonic() + PAUSE
            await session.execute_text(
                f"DROP INDEX CONCURRENTLY IF EXISTS workflow.{quote_ident(one.name)}"
            )
            log.warning("index_failed", index=one.name, error=error.code)
        else:
            self.failed.pop(one.name, None)

    async def _align_in_transaction(
        self, session: Database, missing: Sequence[Wanted], surplus: Sequence[str]
    ) -> None:
        """Behind a pooler a role cannot be kept between statements: writers wait for the build."""
        async with session.transaction() as bound:
            owner = await bound.fetch_row(SQL.get_owner)
            assert owner is not None  # noqa: S101 - the migration made the table
            await bound.execute_text(f"SET LOCAL ROLE {owner['owner']}")
            for name in surplus:
                await bound.execute_text(f"DROP INDEX IF EXISTS workflow.{quote_ident(name)}")
            for one in missing:
                await bound.execute_text(one.create(concurrently=False))

    async def states(
        self, db: Database, type_name: str, definition: Mapping[str, Any]
    ) -> list[IndexState]:
        """How far each index of a type is; what is missing is set going."""
        present = {row["name"]: row for row in await db.fetch(SQL.list_indexes)}
        states = [
            IndexState(fields=one.fields, state=self._state(one.name, present.get(one.name)))
            for one in wanted(type_name, definition)
        ]
        if any(one.state == "building" for one in states) and not self.busy:
            self.kick(db)
        return states

    def _state(self, name: str, row: Mapping[str, Any] | None) -> str:
        if row is not None and row["ready"]:
            return "ready"
        if name in self.failed:
            return "failed"
        return "building"

    async def _work_to_do(self, db: Database) -> tuple[list[Wanted], list[str]]:
        """(indexes to build, names of those to drop first)."""
        present = {row["name"]: row for row in await db.fetch(SQL.list_indexes)}
        asked: dict[str, Wanted] = {}
        for row in await db.fetch(SQL.list_definitions):
            try:
                found = wanted(row["schema_name"], from_json(row["definition"]))
            except InvalidInput:  # made by a later version with rules of its own
                return [], []
            asked.update({one.name: one for one in found})
        surplus = [
            name
            for name, row in present.items()
            if not row["building"] and (name not in asked or not row["ready"])
        ]
        now = time.monotonic()
        settled = present.keys() - set(surplus)
        settled |= {name for name, again in self.failed.items() if now < again}
        return [one for name, one in asked.items() if name not in settled], surplus
