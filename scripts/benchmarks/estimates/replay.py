"""The replay: each task is estimated from those finished before its day, by the product itself.

What P80 and P95 came to is judged by the product's own chore, as it is for what agents finish.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.estimates.data import Done
from benchmarks.estimates.rivals import Answers, Rivals
from undercroft.mcp.call import Caller
from undercroft.timing.models import Estimate, Task
from undercroft.timing.service import Timing

if TYPE_CHECKING:
    from undercroft.app import App

HOUR = 60.0
EVERY = 25
"""Each of so many estimates is asked for as an agent asks, too."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One task with what was said of it beforehand, in hours."""

    task: Done
    p50: float
    p80: float | None
    p95: float | None
    rivals: Answers
    agreed: bool | None
    """Whether the tool said the same; None where it was not asked."""


@dataclass(kw_only=True)
class Replay:
    """Days in their order: first the estimates of a day, then what was finished on it."""

    app: App
    project: str
    tell: Callable[[str], None]

    async def run(self, tasks: Sequence[Done]) -> list[Answered]:
        """Estimate every task that has a finished one before it."""
        database = (await self.app.open(self.project)).database
        rivals, answers, open_tasks = Rivals(), list[Answered](), list[Done]()
        for day, of_day in groupby(tasks, key=lambda one: one.estimated_on):
            for done in _before(open_tasks, day):
                await _record(Timing(database.acting_as(done.developer)), done)
                rivals.learn(done)
            while await Timing(database).judge():
                pass
            open_tasks = [done for done in open_tasks if done.completed_on >= day]
            for done in of_day:
                service = Timing(database.acting_as(done.developer))
                said = await service.recommend(_asked(done), as_of=_begin(day))
                open_tasks.append(done)
                if said.basis == "calibrated":
                    answers.append(await self._answered(done, said, rivals, len(answers)))
                    self._progress(len(answers), len(tasks))
        return answers

    async def _answered(self, done: Done, said: Estimate, rivals: Rivals, number: int) -> Answered:
        return Answered(
            task=done,
            p50=(said.p50_minutes or 0) / HOUR,
            p80=said.p80_minutes and said.p80_minutes / HOUR,
            p95=said.p95_minutes and said.p95_minutes / HOUR,
            rivals=rivals.answer(done),
            agreed=await self._agrees(done, said) if number % EVERY == 0 else None,
        )

    async def _agrees(self, done: Done, said: Estimate) -> bool:
        """Over the whole road of an agent's call; how old all tasks are together moves nothing."""
        asked = {
            "project": self.project,
            "title": done.title,
            "kind": done.subcategory,
            "labels": [done.project],
            "own_estimate": done.estimate * HOUR,
        }
        caller = Caller(actor=done.developer, transport="bench")
        outcome = await self.app.boundary.call("get_recommended_estimate", asked, caller)
        levels = ("p50_minutes", "p80_minutes", "p95_minutes")
        return [outcome.body.get(one) for one in levels] == [getattr(said, one) for one in levels]

    def _progress(self, number: int, of: int) -> None:
        if number % 500 == 0:
            self.tell(f"estimates: {number} of {of}")


def _asked(done: Done) -> Task:
    return Task(
        title=done.title,
        kind=done.subcategory,
        labels=[done.project],
        own_minutes=done.estimate * HOUR,
    )


async def _record(service: Timing, done: Done) -> None:
    """The task is finished at the end of its day."""
    await service.record(
        _asked(done),
        done.actual * HOUR,
        started_at=_begin(done.estimated_on),
        finished_at=_begin(done.completed_on) + timedelta(hours=23),
    )


def _before(open_tasks: Sequence[Done], day: date) -> list[Done]:
    finished = [done for done in open_tasks if done.completed_on < day]
    return sorted(finished, key=lambda done: done.completed_on)


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
