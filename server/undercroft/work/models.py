"""Values of the work room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write has left."""

    id: str
    kind: str
    version: int
    """One more with every change; update_work wants the one that was read."""
    status: str


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """An item that is now the caller's, for a while."""

    id: str
    kind: str
    title: str
    status: str
    priority: int
    epoch: int
    """Names this claim in every later write."""
    until: datetime
    """By the database's clock; afterwards others may claim it."""
    version: int
    description: str | None
    acceptance: Sequence[Any] | None
    code_links: Sequence[Any] | None
    parent: str | None

    @classmethod
    def from_row(cls, row: Row) -> Claimed:
        """A claim from a row of `claims.sql`."""
        return cls(
            id=row["id"],
            kind=row["kind"],
            title=row["title"],
            status=row["status"],
            priority=row["priority"],
            epoch=row["epoch"],
            until=row["claim_until"],
            version=row["version"],
            description=row["description"] or None,
            acceptance=from_json(row["acceptance"]) or None,
            code_links=from_json(row["code"]) or None,
            parent=row["parent_id"],
        )


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item with all around it; what is empty is left out."""

    id: str
    kind: str
    title: str
    status: str
    priority: int
    version: int
    progress: float
    """Per cent of the leaves beneath that are done."""
    created_at: datetime
    updated_at: datetime
    created_by: str
    updated_by: str
    description: str | None = None
    labels: Sequence[str] | None = None
    assignee: str | None = None
    due: datetime | None = None
    estimate: float | None = None
    """Minutes, as whoever does it thinks."""
    acceptance: Sequence[Any] | None = None
    code_links: Sequence[Any] | None = None
    entities: Sequence[UUID] | None = None
    outcome: str | None = None
    external_ref: str | None = None
    closed_at: datetime | None = None
    archived_at: datetime | None = None
    deleted_at: datetime | None = None
    blocked: bool | None = None
    parent: str | None = None
    """As kind:id, like the two that follow: the items around it in the order of the plan."""
    prev: str | None = None
    next: str | None = None
    children: int | None = None
    next_statuses: Sequence[str] | None = None
    links: Sequence[Any] | None = None
    comments: Sequence[Any] | None = None
    """The latest, oldest first."""
    review: Any = None
    held_by: str | None = None
    """Whose claim it is at this moment."""
    held_until: datetime | None = None
    shortened: Sequence[str] | None = None
    """What is longer than an answer can be; `undercroft work show` has it whole."""

    @classmethod
    def from_row(cls, row: Row) -> Item:
        """An item from a row of `get_item`."""
        texts = ("acceptance", "links", "comments")
        held = bool(row["held"])
        found: dict[str, Any] = {name: row[name] for name in _SAME}
        found |= {name: row[name] or None for name in _BLANK}
        found |= {name: from_json(row[name]) or None for name in texts}
        return cls(
            **found,
            code_links=from_json(row["code"]) or None,
            due=row["due_at"],
            estimate=row["estimate_minutes"],
            blocked=(row["is_open"] and row["open_blockers"] > 0) or None,
            review=from_json(row["review"]) if row["review"] else None,
            held_by=row["claim_holder"] if held else None,
            held_until=row["claim_until"] if held else None,
        )


_SAME = (
    *("id", "kind", "title", "status", "priority", "version", "progress"),
    *("created_at", "updated_at", "created_by", "updated_by"),
    *("assignee", "closed_at", "archived_at", "deleted_at", "parent", "prev", "next"),
)
_BLANK = (
    *("description", "labels", "entities", "outcome", "external_ref", "children"),
    "next_statuses",
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """One item of a list."""

    id: str
    kind: str
    title: str
    status: str
    priority: int
    version: int
    updated_at: datetime
    labels: Sequence[str] | None = None
    assignee: str | None = None
    due: datetime | None = None
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Ready:
    """One item that can be started, and why it stands where it stands."""

    id: str
    kind: str
    title: str
    priority: int
    version: int
    reason: str
    labels: Sequence[str] | None = None
    assignee: str | None = None
    due: datetime | None = None
    parent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """One item that waits."""

    id: str
    kind: str
    title: str
    priority: int
    blocked_by: Sequence[str] | None
    """Open blockers of its own, as "kind:id title"; up to ten."""
    waits_with: str | None
    """Its parent, where that waits."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One item in a plan."""

    id: str
    depth: int
    kind: str
    title: str
    status: str
    priority: int
    progress: float | None = None
    """Per cent; only where there are children."""
    blocked: bool | None = None
    held_by: str | None = None
    hidden: int | None = None
    """Items beneath that are not shown: get_plan of this id shows them."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A tree in its order, as much as fits."""

    items: Sequence[Node]
    total: int
    """Items of the whole tree."""
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan that was made."""

    ids: Mapping[str, str]
    """Key → id, in the order of the plan; a key is its place ("1.2") where none was given. Of more
    than 600 items only those at the top, and those with keys."""
    items: int


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link as it is now."""

    source: str
    type: str
    target: str
    linked: bool
    changed: bool


@dataclass(frozen=True, kw_only=True)
class Comment:
    """A remark that was made."""

    id: int
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Review:
    """Where a review stands."""

    id: str
    state: str
    iterations: int
    max_iterations: int
    turn: str
    """Who may do what next."""
    final_content: str | None = None
    dispute: UUID | None = None
    promoted: bool | None = None
    """True where agreed complexity made a task of the step."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of an item, with what it changed."""

    version: int
    operation: str
    changed_by: str
    agent: str | None
    changed_at: datetime
    changes: Mapping[str, Any]
    """Field → [old, new]; of the first version: field → value."""


@dataclass(frozen=True, kw_only=True)
class Touched:
    """How many items a write has touched."""

    items: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the project has set for its reviews."""

    complexity_threshold: float
    """A step whose agreed complexity is above becomes a task."""
    max_iterations: int
    """Changes that may be asked for before it is a dispute."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import has made."""

    items: int
    links: int
    comments: int
    known: int
    """Items that were there already, and were left as they are."""
    reopened: int | None = None
    """Parents that were opened again, since something beneath them is open."""
    left_out: Sequence[str] | None = None
    """Links that would have closed a circle."""
    notes: Sequence[str] | None = None
    """What came out otherwise than the file has it, a reason with its items each."""
