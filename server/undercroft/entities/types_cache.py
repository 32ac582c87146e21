"""Types ready for use, kept as long as their database stays open.

A write names the version that its data was checked against, and the database refuses a
stale one; so what is kept here can be old, but never wrong.
"""

from __future__ import annotations

import difflib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from undercroft.db.queries import load_queries
from undercroft.entities.indexing import IndexKeeper
from undercroft.entities.isolation import Checkers
from undercroft.errors import NotFound

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.entities.validation import Validator

SQL = load_queries(__package__)

FRESH = 5.0
"""Seconds for which a reader may rely on a type without asking again."""

MAX_TYPES = 256

SETTLING = 600.0
"""Seconds that a transaction which defines a type may last; calls end long before."""


@dataclass(frozen=True, kw_only=True)
class EntityType:
    """A type as it was when it was read."""

    name: str
    version: int
    validator: Validator = field(repr=False)

    @property
    def definition(self) -> Mapping[str, Any]:
        """The JSON Schema."""
        return self.validator.definition


@dataclass(kw_only=True)
class TypeCache:
    """The types of one database."""

    checkers: Checkers = field(default_factory=Checkers)
    _types: OrderedDict[str, tuple[EntityType, float]] = field(default_factory=OrderedDict)
    _unsettled: dict[str, float] = field(default_factory=dict)
    """Types being changed in somebody's open transaction → until when that may be so."""

    async def get(self, db: Database, name: str, *, max_age: float | None = None) -> EntityType:
        """The type of that name, asked for again when older than `max_age` seconds.

        Raises:
            NotFound: There is none; the hint names the nearest.

        """
        known = self._types.get(name)
        if known and (max_age is None or time.monotonic() - known[1] <= max_age):
            return known[0]
        return await self.reload(db, name)

    async def reload(self, db: Database, name: str) -> EntityType:
        """The type as it is now."""
        row = await db.fetch_row(SQL.get_type, name) if "\x00" not in name else None
        if row is None:
            self._types.pop(name, None)
            raise await unknown_type(db, name)
        known = self._types.get(name)
        if known and known[0].version == row["version"]:
            return self._keep(known[0])
        from undercroft.entities.validation import compile_beside  # noqa: PLC0415 - 30 ms

        # New to this process: perhaps its indexes were left half-made by another.
        db.cached(IndexKeeper).nudge(db)
        validator = await compile_beside(from_json(row["definition"]))
        found = EntityType(name=name, version=row["version"], validator=validator)
        if db.in_transaction and time.monotonic() < self._unsettled.get(name, 0.0):
            return found  # seen by this transaction alone, and perhaps rolled back
        return self._keep(found)

    def unsettle(self, name: str) -> None:
        """The type is about to change in a transaction that may be rolled back."""
        self._unsettled[name] = time.monotonic() + SETTLING

    def forget(self, name: str) -> None:
        """Read the type again before its next use."""
        self._types.pop(name, None)

    def _keep(self, found: EntityType) -> EntityType:
        self._types[found.name] = (found, time.monotonic())
        self._types.move_to_end(found.name)
        while len(self._types) > MAX_TYPES:
            self._types.popitem(last=False)
        return found

    async def check(self, kind: EntityType, data: Any, text: str, where: str = "data") -> None:
        """Refuse data that does not fit its type.

        Raises:
            InvalidInput: With the first violations.

        """
        from undercroft.entities.validation import refusal  # noqa: PLC0415 - loaded by now

        if found := await kind.validator.violations(data, text, self.checkers):
            raise refusal(found, kind.name, where)


async def unknown_type(db: Database, name: str) -> NotFound:
    """The error for a type that does not exist."""
    names = [row["schema_name"] for row in await db.fetch(SQL.list_type_names)]
    close = difflib.get_close_matches(name[:64], names, n=3, cutoff=0.5)
    hint = f"Nearest: {', '.join(close)}." if close else f"There are: {', '.join(names[:30])}."
    return NotFound(f"There is no type {name[:64]!r}.", hint=hint)
