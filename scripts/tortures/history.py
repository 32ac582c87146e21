"""What the clients were told against what the database holds.

No search for a linear order is needed: each change names the version it made, so that four
comparisons decide (no version twice, none missing, each version is its writer's, real time kept).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tortures.invariants import Invariant, none_of


@dataclass(kw_only=True)
class Change:
    """One change as its client saw it; times by the clock of this process, in seconds."""

    token: str
    tool: str
    began: float
    ended: float = 0.0
    entity: str = ""
    version: int = 0
    """The version it made; 0: the server said that it did nothing."""
    refusal: str = ""
    tries: int = 0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One version of a record as the history has it."""

    entity: str
    version: int
    operation: str
    token: str


@dataclass(kw_only=True)
class Stored:
    """All that the database holds."""

    rows: Sequence[Row]
    current: Mapping[str, int]
    """Record → its version."""
    by_version: dict[tuple[str, int], Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_version = {(row.entity, row.version): row for row in self.rows}


def judge(changes: Sequence[Change], stored: Stored) -> Iterable[Invariant]:
    """The promises of a store that loses nothing and repeats nothing."""
    made = [change for change in changes if change.version]
    yield none_of("acknowledged writes lost", list(_lost(made, stored)), "told done, not stored")
    yield none_of("writes applied twice", list(_twice(stored)), "one change, two versions")
    refused = {change.token for change in changes if change.refusal}
    denied = [row.token for row in stored.rows if _writes(row) and row.token in refused]
    yield none_of("refused yet applied", denied, "told not done, stored")
    yield none_of("versions given twice", list(_given_twice(made)), "two writers, one version")
    yield none_of("gaps in versions", list(_gaps(stored)), "history is 1 … n, n is the record's")
    yield none_of("against real time", list(_backwards(made)), "later change, lower version")


def _lost(made: Iterable[Change], stored: Stored) -> Iterable[str]:
    for change in made:
        row = stored.by_version.get((change.entity, change.version))
        if row is None or (_writes(row) and row.token != change.token):
            yield f"{change.token} v{change.version}"


def _writes(row: Row) -> bool:
    """Whether the row's token is that of the change that made it."""
    return row.operation in ("create", "update")


def _twice(stored: Stored) -> Iterable[str]:
    times = Counter(row.token for row in stored.rows if _writes(row))
    return (token for token, count in times.items() if count > 1)


def _given_twice(made: Iterable[Change]) -> Iterable[str]:
    times = Counter((change.entity, change.version) for change in made)
    return (f"{entity} v{version}" for (entity, version), count in times.items() if count > 1)


def _gaps(stored: Stored) -> Iterable[str]:
    versions = defaultdict(list)
    for row in stored.rows:
        versions[row.entity].append(row.version)
    for entity, version in stored.current.items():
        if sorted(versions[entity]) != list(range(1, version + 1)):
            yield entity


def _backwards(made: Iterable[Change]) -> Iterable[str]:
    """A change that began after another had ended, and got a lower version of the same record."""
    by_entity = defaultdict(list)
    for change in made:
        by_entity[change.entity].append(change)
    for entity, changes in by_entity.items():
        ended = sorted(changes, key=lambda change: change.ended)
        highest, index = 0, 0
        for change in sorted(changes, key=lambda change: change.began):
            while index < len(ended) and ended[index].ended < change.began:
                highest = max(highest, ended[index].version)
                index += 1
            if change.version < highest:
                yield f"{entity} v{change.version}"


async def read(connection: Any) -> Stored:
    """All that a project's database holds, with the tokens of its changes."""
    rows = await connection.fetch(
        "SELECT entity_id::text AS entity, version, operation, data ->> 'title' AS token "
        "FROM workflow.entity_history"
    )
    current = await connection.fetch("SELECT id::text, version FROM workflow.entities")
    return Stored(
        rows=[Row(**dict(row)) for row in rows],
        current={row["id"]: row["version"] for row in current},
    )
