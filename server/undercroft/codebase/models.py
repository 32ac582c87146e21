"""What the room hands out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Repository:
    """An indexed folder."""

    id: UUID
    name: str
    path: str
    status: str
    """pending, in_progress, completed, failed or interrupted (the next run goes on)."""
    files: int
    chunks: int
    stage: str | None = field(default=None)
    """What the present run is at."""
    progress: str | None = field(default=None)
    """Files of the present run: done/total."""
    omitted: Mapping[str, Any] | None = field(default=None)
    """Files left out by reason: {count, examples}."""
    indexed_at: datetime | None = field(default=None)
    seconds: float | None = field(default=None)
    """How long the last whole run took."""
    error: str | None = field(default=None)
    vectors: str | None = field(default=None)
    """What the project's embedding model is at, or why it is not; None: all is done."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Some lines of a file."""

    repository: str
    path: str
    start_line: int
    end_line: int
    language: str
    kind: str
    symbol: str
    """With its scope: Outer.inner; empty where the lines have no name."""
    text: str | None = field(default=None)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A place that a search found."""

    repository: str
    path: str
    start_line: int
    end_line: int
    language: str
    kind: str
    symbol: str
    score: float
    parts: Mapping[str, float]
    """What the score consists of."""
    why: Sequence[str]
    text: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """The answer to a search."""

    items: Sequence[Hit]
    next_cursor: str | None = field(default=None)
    note: str | None = field(default=None)
    """What the reader should know: the index lags behind the disk, or searched by words alone."""


@dataclass(frozen=True, kw_only=True)
class SymbolPlace:
    """Where a name is defined or used."""

    repository: str
    path: str
    role: str
    """definition or reference."""
    kind: str
    scope: str
    lines: Sequence[int]
    """Of a definition its first and last, of uses all."""
    text: str | None = field(default=None)
    """The defining line."""
