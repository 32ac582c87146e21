"""Time of a project's tasks: measured, and estimated from what was measured.

What is counted and how an estimate comes about stand in SQL, where the room that hands out claims
can start and stop a clock in its own transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from undercroft.db.queries import load_queries
from undercroft.errors import InvalidInput
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.timing.checks import (
    check_item,
    check_minutes,
    check_times,
    checked,
    checked_factors,
    no_timer,
    reference,
)
from undercroft.timing.models import Estimate, Execution, PastTask, Pattern, Report, Task
from undercroft.timing.wording import summary

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__)

JUDGED_AT_ONCE = 200
"""Tasks whose recommendation is made up for in one go: a second or two."""
SHOWN = 50
"""Rows of each part of a report."""
DEFAULT_KIND = "task"

Outcome = Literal["finished", "paused", "abandoned"]


class Timing:
    """The times of one project; the database's actor is who works and estimates."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def recommend(self, task: Task, *, as_of: datetime | None = None) -> Estimate:
        """How long a task will take, by what the project knew at a moment (default: now).

        Raises:
            InvalidInput: A text is too long or a number is none that a task can have.

        """
        task = checked(task)
        row = await self._db.fetch_row(
            SQL.get_recommended_estimate, *_described(task), self._db.actor, as_of
        )
        found = {name: _rounded(value) for name, value in dict(row or {}).items()}
        near = await self._db.fetch(SQL.list_nearest, found["nearest"]) if found["nearest"] else ()
        return Estimate(
            **found
            | {
                "summary": summary(found, task, self._db.actor),
                "nearest": [PastTask(**dict(one)) for one in near],
            }
        )

    async def start(self, task: Task, *, item: str = "") -> Execution:
        """Let the clock of a task run; one work item has one clock, and another's stops.

        Raises:
            Conflict: A claim keeps the item's clock, or the item is closed.
            NotFound: There is no such item.

        """
        task = checked(task)
        check_item(item)
        title, kind, labels, complexity, own = _described(task)
        execution = await self._db.fetch_value(
            SQL.start_clock,
            *(item or None, kind, title, labels, complexity, own, self._db.actor),
        )
        return await self._execution(execution)

    async def resume(self, timer: str) -> Execution:
        """Let the clock of an open task run on.

        Raises:
            Conflict: A claim keeps it, or its item is closed.
            NotFound: It is finished, or never was.

        """
        execution = await self._db.fetch_value(SQL.resume_clock, *reference(timer), self._db.actor)
        if execution is None:
            raise no_timer(timer)
        return await self._execution(execution)

    async def stop(
        self, timer: str, outcome: Outcome = "finished", factors: Sequence[str] = ()
    ) -> Execution:
        """Stop a clock, by its own id or by its work item's.

        `factors`: what made it longer or shorter, in a few words each.

        Raises:
            Conflict: A claim keeps it.
            NotFound: It is finished, or never was.

        """
        names = checked_factors(factors)
        async with self._db.transaction() as bound:
            execution = await bound.fetch_value(SQL.end_execution, *reference(timer), outcome)
            if execution is None:
                raise no_timer(timer)
            await _note(bound, execution, names)
        return await self._execution(execution)

    async def record(  # noqa: PLR0913 - what a finished task consists of
        self,
        task: Task,
        minutes: float,
        *,
        item: str = "",
        started_at: datetime | None = None,
        finished_at: datetime | None = None,
        factors: Sequence[str] = (),
        recommended: Estimate | None = None,
    ) -> Execution:
        """Keep a task whose time was measured elsewhere, and learn from it.

        `recommended`: what `recommend` said before it began, to be judged by.

        Raises:
            InvalidInput: A text is too long, or a number or a time is none that a task can have.

        """
        task = checked(task)
        check_item(item)
        check_minutes("The time that it took", minutes)
        check_times(started_at, finished_at, minutes)
        names = checked_factors(factors)
        title, kind, labels, complexity, own = _described(task)
        async with self._db.transaction() as bound:
            execution = await bound.fetch_value(
                SQL.insert_execution,
                *(item or None, title, kind or DEFAULT_KIND, labels, complexity, self._db.actor),
                *(own, minutes, finished_at, started_at, *_recommended(recommended)),
            )
            await _note(bound, execution, names)
        return await self._execution(execution)

    async def page(
        self, item: str = "", *, open_only: bool = False, limit: int = 50, cursor: str = ""
    ) -> Page[Execution]:
        """Tasks with their times, the latest begun first."""
        moment, place = _position(cursor)
        rows = await self._db.fetch(SQL.list_executions, item, open_only, moment, place, limit + 1)
        return page_of(
            (Execution.from_row(row) for row in rows),
            limit=limit,
            position=lambda one: [one.started_at.isoformat(), str(one.timer)],
        )

    async def report(self) -> Report:
        """How estimates came out: in all, by asker and kind, by week, by factor."""
        accuracy = await self._db.fetch_row(SQL.get_accuracy)
        patterns = await self._db.fetch(SQL.list_patterns, SHOWN)
        return Report(
            accuracy=_plain(accuracy),
            patterns=[Pattern(**_plain(row)) for row in patterns],
            trends=[_plain(row) for row in await self._db.fetch(SQL.list_trends, SHOWN)],
            factors=[_plain(row) for row in await self._db.fetch(SQL.list_factor_effects, SHOWN)],
        )

    async def judge(self) -> int:
        """Make up for recommendations that finished tasks never had; how many.

        P80 and P95 are held to what they promise by what became of earlier ones. Clocks that a
        claim has started come without one, since a claim should not wait for it.
        """
        return int(await self._db.fetch_value(SQL.judge_executions, JUDGED_AT_ONCE))

    async def _execution(self, execution: UUID) -> Execution:
        row = await self._db.fetch_row(SQL.get_execution, execution)
        if row is None:
            raise no_timer(str(execution))
        return Execution.from_row(row)


async def _note(database: Database, execution: UUID, factors: Sequence[str]) -> None:
    if factors:
        await database.execute(SQL.insert_factors, factors, database.actor)
        await database.execute(SQL.insert_execution_factors, execution, factors)


def _described(task: Task) -> tuple[str, str, list[str], float | None, float | None]:
    return task.title, task.kind, list(task.labels), task.complexity, task.own_minutes


def _recommended(estimate: Estimate | None) -> tuple[float | str | None, ...]:
    if estimate is None or estimate.basis == "none":
        return (None, None, None, None)
    return estimate.p50_minutes, estimate.p80_minutes, estimate.p95_minutes, estimate.basis


def _position(cursor: str) -> tuple[datetime | None, UUID | None]:
    if not cursor:
        return None, None
    moment, place = decode_cursor(cursor, 2)
    try:
        return datetime.fromisoformat(moment), UUID(place)
    except (TypeError, ValueError, AttributeError):
        raise InvalidInput("The cursor does not belong to this list.") from None


def _plain(row: Any) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in dict(row or {}).items()}


def _rounded(value: Any) -> Any:
    """Hundredths: a minute's are below a second."""
    return round(value, 2) if isinstance(value, float) else value
