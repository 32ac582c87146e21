"""Values of the timing room; every duration is in minutes of active time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

Basis = Literal["calibrated", "mixed", "past", "own", "none"]
"""What an estimate rests on: the asker's own, times what became of earlier ones; the same and what
tasks without an estimate took; what past tasks took; the asker's own word alone; nothing."""
Status = Literal["running", "paused", "finished", "abandoned"]
"""`paused` as well where the lease of the holder is over."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is known of a task before it begins."""

    title: str = ""
    kind: str = ""
    """Empty: any."""
    labels: Sequence[str] = ()
    complexity: float | None = None
    own_minutes: float | None = None
    """What the asker thinks that it will take."""


@dataclass(frozen=True, kw_only=True)
class PastTask:
    """A finished task that an estimate rests on."""

    id: UUID
    item: str | None
    title: str
    kind: str
    minutes: float
    estimated_minutes: float | None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a task will take, and why that is thought."""

    summary: str
    """All of it in plain sentences."""
    p50_minutes: float | None
    """As many tasks take longer as take less."""
    p80_minutes: float | None
    """Four of five take no longer. None: too few tasks to say so."""
    p95_minutes: float | None
    basis: Basis
    tasks: int
    """Finished tasks it rests on."""
    alike: int
    """Of them, those of the same asker and kind."""
    effective: float
    """How many tasks of equal weight would tell as much (Kish, 1965)."""
    nearest: Sequence[PastTask]
    """Up to five of them, the likest first."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One task and its clock."""

    timer: UUID
    item: str | None
    title: str
    kind: str
    labels: Sequence[str]
    complexity: float | None
    asker: str
    status: Status
    minutes: float
    """Active time: so far, or in all."""
    estimated_minutes: float | None
    recommended_minutes: float | None
    """P50 as it was before the task began."""
    variance_percent: float | None
    """By how much it took longer than it was estimated."""
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A task from a row of `list_executions`."""
        return cls(**dict(row) | {"minutes": round(row["minutes"], 2)})


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """How one asker's estimates of one kind came out."""

    asker: str
    kind: str
    tasks: int
    typical_minutes: float
    """Geometric mean."""
    estimated_tasks: int
    ratio: float | None
    """Geometric mean of actual / estimate: 0.25 where four times as long was expected."""
    ratio_low: float | None
    ratio_high: float | None
    """About 95 % for the mean (normal approximation of logarithms); None below three tasks."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How well estimates have done."""

    accuracy: Mapping[str, Any]
    """The row of `estimation_accuracy_by_project`."""
    patterns: Sequence[Pattern]
    trends: Sequence[Mapping[str, Any]]
    """Rows of `task_performance_trends`, the newest week first."""
    factors: Sequence[Mapping[str, Any]]
    """Rows of `estimation_factor_effects`."""
