"""What indexing tells: a run, a repository's state, how fresh it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """What one run has done."""

    repository: UUID
    files: int
    """Files that can be searched now."""
    chunks: int
    changed: int
    """Files that were read, because they were new or not as before."""
    removed: int
    omitted: Mapping[str, int]
    """Files left out, by reason."""
    stored_chunks: int
    """Chunks that were new to the database; the others stood there already."""
    seconds: float
    stages: Mapping[str, float] = field(default_factory=dict)
    """Seconds of work per stage; those of worker processes are added up."""


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How far the index agrees with the disk."""

    changed: int
    removed: int
    complete: bool
    """False: the budget ended first, or another process is at work; the rest is under way."""
    seconds: float


class Standing(NamedTuple):
    """A repository as a search needs to know it."""

    id: UUID
    name: str
    path: str
    seen: bytes | None
    """What the folder looked like when all of it was indexed; None: it is not, or not any more."""
    rules: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row that has these columns among others."""
        return cls(row["id"], row["name"], row["repo_path"], row["seen"], row["rules"])


@dataclass(frozen=True, kw_only=True)
class RepositoryStatus:
    """Where the index of one repository stands."""

    id: UUID
    name: str
    path: str
    status: str
    """pending, in_progress, completed or failed."""
    interrupted: bool
    """Its indexer died; the next run goes on where it was."""
    stage: str
    done: int
    """Files of the present run that are through."""
    total: int
    total_files: int
    total_chunks: int
    omitted: Mapping[str, Any]
    """By reason: {"count": 2, "examples": ["logo.png"]}."""
    by_git: bool
    truncated: bool
    """There were more files than are ever walked."""
    error: str
    last_indexed_at: datetime | None
    duration_seconds: float | None
    generation: int
    """Changes whenever a file of it does."""
