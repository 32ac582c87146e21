"""A database's schema as a plain value that can be compared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import asyncpg

from undercroft.db.queries import load_queries

_CATALOG = load_queries(__package__, "catalog.sql")

Snapshot = Mapping[tuple[str, str], Mapping[str, Any]]
"""(kind, qualified name) → definition."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One object that is not as the files make it."""

    kind: str
    """schema, table, column, index, constraint, function, trigger, view, type, …"""
    name: str
    """Qualified by schema, and by table for its parts."""
    what: Literal["missing", "extra", "changed"]
    expected: Mapping[str, Any]
    """The parts of the definition that differ, as the files make them."""
    found: Mapping[str, Any]

    def __str__(self) -> str:
        parts = ", ".join(sorted(self.expected)) if self.what == "changed" else ""
        return f"{self.what} {self.kind} {self.name}" + (f" ({parts})" if parts else "")

    def as_dict(self) -> dict[str, Any]:
        """The difference as JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "what": self.what,
            "expected": dict(self.expected),
            "found": dict(self.found),
        }


async def take_snapshot(connection: asyncpg.Connection) -> Snapshot:
    """Read everything that migrations make, at one instant."""
    snapshot: dict[tuple[str, str], Mapping[str, Any]] = {}
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("SET LOCAL search_path = ''")
        for query in _CATALOG:
            for row in await connection.fetch(query.text):
                snapshot[row["kind"], row["name"]] = json.loads(row["definition"])
    return snapshot


def compare(expected: Snapshot, found: Snapshot) -> tuple[Difference, ...]:
    """Every difference, in the order of kind and name."""
    keys = sorted(key for key in expected.keys() | found.keys())
    return tuple(
        _difference(kind, name, expected.get((kind, name)), found.get((kind, name)))
        for kind, name in keys
        if expected.get((kind, name)) != found.get((kind, name))
    )


def _difference(
    kind: str, name: str, expected: Mapping[str, Any] | None, found: Mapping[str, Any] | None
) -> Difference:
    if expected is None or found is None:
        return Difference(
            kind=kind,
            name=name,
            what="extra" if expected is None else "missing",
            expected=expected or {},
            found=found or {},
        )
    parts = [p for p in expected.keys() | found.keys() if expected.get(p) != found.get(p)]
    return Difference(
        kind=kind,
        name=name,
        what="changed",
        expected={part: expected.get(part) for part in parts},
        found={part: found.get(part) for part in parts},
    )
