"""What the room hands out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One place where data does not fit its type."""

    path: str
    """JSON pointer into the data; empty: the whole."""
    message: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """A record after a write; its body is what the caller sent."""

    id: UUID
    type: str
    version: int
    """Name it in the next change of this record."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class EntityRecord:
    """A record; None: not asked for, or not deleted."""

    id: UUID
    type: str | None = field(default=None)
    version: int
    data: Mapping[str, Any] | None = field(default=None)
    created_at: datetime | None = field(default=None)
    updated_at: datetime | None = field(default=None)
    created_by: str | None = field(default=None)
    updated_by: str | None = field(default=None)
    deleted_at: datetime | None = field(default=None)


@dataclass(frozen=True, kw_only=True)
class HistoryEntry:
    """One version of a record."""

    version: int
    operation: str
    """create, update, delete, restore or undo."""
    changed_by: str
    changed_at: datetime
    changes: Sequence[Mapping[str, Any]]
    """{path, old, new} each; a side that did not exist is left out, `cut`: values are shortened."""


@dataclass(frozen=True, kw_only=True)
class IndexState:
    """An index of a type's fields."""

    fields: Sequence[str]
    state: str
    """ready, building or failed."""


@dataclass(frozen=True, kw_only=True)
class TypeSummary:
    """A type in a list."""

    name: str
    version: int
    description: str
    records: int
    """Live ones."""


@dataclass(frozen=True, kw_only=True)
class TypeDefinition:
    """A type with its definition."""

    name: str
    version: int
    description: str
    schema: Mapping[str, Any]
    created_by: str
    created_at: datetime
    indexes: Sequence[IndexState] | None = field(default=None)


@dataclass(frozen=True, kw_only=True)
class TypeDefined:
    """What a definition came to, or in a dry run would come to."""

    name: str
    version: int
    outcome: str
    """created, changed or unchanged."""
    checked: int
    """Stored records that were checked against it."""
    updated: int
    """Records that got a default."""
    dry_run: bool | None = field(default=None)
    invalid: Sequence[Mapping[str, Any]] | None = field(default=None)
    """Only in a dry run: the first records that do not fit, {id, path, message} each."""
    invalid_count: int | None = field(default=None)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a batch has written, in the order of its input."""

    items: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class RecentChange:
    """One change of some record."""

    id: UUID
    type: str
    version: int
    operation: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What a project keeps, and what happened to it lately."""

    types: Sequence[TypeSummary]
    changes: Sequence[RecentChange]
    """The latest first."""
