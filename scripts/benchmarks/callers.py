"""Thirty-two callers at once, against as many on the driver's own pool of equal size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import cycle
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Judgement, bare
from benchmarks.frame import Effort, Operation, crowd, interleave
from benchmarks.ground import bare_pool, scratch_app
from benchmarks.records import Bare, Ours, Turns, seeded

if TYPE_CHECKING:
    from benchmarks.figures import Medians

CALLERS = 32


def share_of_bare(medians: Medians) -> float:
    """Our throughput in percent of the bare one."""
    return 100 * medians["ours"] / medians["bare"]


MIXED = Judgement(
    name="32 callers",
    meaning="calls per second of 32 callers that get, create and update in turn, 5 connections",
    unit="/s",
    value_unit="%",
    target=60.0,
    of=share_of_bare,
    baseline=bare,
    at_least=True,
)


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Throughput under contention for connections."""
    async with scratch_app() as app:
        mine, its = await seeded(app, "callers")
        size = app.settings.project_pool_max
        async with bare_pool(app, "project_callers", size) as pool:
            ours = [Ours(app=app, project="callers", turns=turns) for turns in _dealt(mine)]
            alone = [Bare(connection=pool, turns=turns) for turns in _dealt(its)]
            effort.tell("callers: get, create and update in turn")
            seconds = 0.4 if effort.quick else 1.0
            sides = {
                "ours": crowd([_in_turn(caller) for caller in ours], seconds),
                "bare": crowd([_in_turn(caller) for caller in alone], seconds),
            }
            yield MIXED.figure(await interleave(sides, rounds=effort.rounds(12)))


def _in_turn(caller: Ours | Bare) -> Operation:
    """Get, then create, then update, and so on."""
    steps = cycle((caller.get, caller.create, caller.update))

    async def step() -> None:
        await next(steps)()

    return step


def _dealt(turns: Turns) -> list[Turns]:
    """Records of its own for each caller, so that nobody meets a stale version."""
    return [Turns(ids=turns.ids[number::CALLERS]) for number in range(CALLERS)]
