"""What may be said about a task."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from undercroft.errors import InvalidInput, NotFound
from undercroft.timing.models import Task

MOST_MINUTES = 5_256_000.0
"""Ten years."""
LEAST_MINUTES = 0.001
MOST_LABELS = 100
_TITLE, _KIND, _LABEL, _ITEM, _FACTOR = 500, 64, 100, 200, 100
_COMPLEXITY = 100.0
_EARLIEST = datetime(2, 1, 2, tzinfo=UTC)
_SKEW = timedelta(minutes=5)
"""By how much a caller's clock may be fast."""
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)\s*h)?\s*(?:(\d+(?:\.\d+)?)\s*(?:m|min)?)?", re.ASCII)


def checked(task: Task) -> Task:
    """The same task, its labels sorted and without repetitions.

    Raises:
        InvalidInput: A text is too long, or a number is none that a task can have.

    """
    check_text("A title", task.title, _TITLE)
    check_text("A kind", task.kind, _KIND)
    labels = sorted(set(task.labels))
    if len(labels) > MOST_LABELS:
        raise InvalidInput(f"A task has at most {MOST_LABELS} labels.")
    for label in labels:
        check_text("A label", label, _LABEL)
    if task.complexity is not None and not 0 <= task.complexity <= _COMPLEXITY:
        raise InvalidInput("Complexity is a number from 0 to 100, on a scale of your own.")
    if task.own_minutes is not None:
        check_minutes("An estimate", task.own_minutes)
    return Task(
        title=task.title.strip(),
        kind=task.kind.strip().lower(),
        labels=labels,
        complexity=task.complexity,
        own_minutes=task.own_minutes,
    )


def check_text(what: str, text: str, most: int) -> None:
    """Refuse a text that is longer than the table takes."""
    if len(text) > most:
        raise InvalidInput(f"{what} has at most {most} characters.")


def check_minutes(what: str, minutes: float) -> None:
    """Refuse what no task takes; NaN and infinities as well."""
    if not (math.isfinite(minutes) and LEAST_MINUTES <= minutes <= MOST_MINUTES):
        raise InvalidInput(
            f"{what} is in minutes, more than 0 and at most ten years.", hint="For example 90."
        )


def check_item(item: str) -> None:
    """Refuse an id that no work item can have."""
    check_text("The id of a work item", item, _ITEM)


def check_times(started_at: datetime | None, finished_at: datetime | None, minutes: float) -> None:
    """Refuse times without an offset, those that no calendar has, the future, and an end too early.

    `minutes`: how long it took, where only its end is known.
    """
    for moment in (started_at, finished_at):
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput("A time needs its offset.", hint="For example 2026-05-01T12:00:00Z.")
    now = datetime.now(UTC)
    ended = now if finished_at is None else finished_at
    if max(ended, started_at or ended) > now + _SKEW:
        raise InvalidInput("A finished task cannot lie in the future.")
    if min(ended, started_at or ended) < _EARLIEST + timedelta(minutes=minutes):
        raise InvalidInput("No task was finished so early.", hint="Years begin with 0002.")
    if started_at is not None and ended + _SKEW < started_at:
        raise InvalidInput("A task cannot be finished before it was started.")


def checked_factors(factors: Sequence[str]) -> list[str]:
    """Factors in lower case, without repetitions.

    Raises:
        InvalidInput: One is empty or too long, or there are too many.

    """
    names = sorted({factor.strip().lower() for factor in factors})
    if len(names) > MOST_LABELS:
        raise InvalidInput(f"A task has at most {MOST_LABELS} factors.")
    for name in names:
        check_text("A factor", name, _FACTOR)
        if not name:
            raise InvalidInput("A factor has a name.", hint="For example flaky tests.")
    return names


def reference(timer: str) -> tuple[UUID | None, str]:
    """A timer as (its own id or None, the id of a work item)."""
    check_item(timer)
    try:
        return UUID(timer), timer
    except ValueError:
        return None, timer


def no_timer(timer: str) -> NotFound:
    """The error for a timer that was stopped, or never was."""
    return NotFound(
        f"There is no open timer {timer[:64]!r}.", hint="list_executions open=true shows them."
    )


def minutes_of(text: str) -> float:
    """A duration as a person writes it: 90, 90m, 1.5h, 1h30m.

    Raises:
        InvalidInput: It is none.

    """
    match = _DURATION.fullmatch(text.strip().lower())
    if not match or (match[1] is None and match[2] is None):
        raise InvalidInput(f"{text[:40]!r} is no duration.", hint="Write 90m, 1.5h or 1h30m.")
    return float(match[1] or 0) * 60 + float(match[2] or 0)
