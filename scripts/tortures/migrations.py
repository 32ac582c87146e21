"""Migrations killed at every statement, and run by eight processes at once that are killed too."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from tortures import doomed
from tortures.frame import Effort
from tortures.invariants import Invariant, at_least, none_of
from tortures.one_record import ask
from tortures.scratch import Scratch, scratch

RUNNERS = 8
PROJECTS = 3


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Whatever was cut off, the next run ends where an undisturbed one would have."""
    async with scratch(effort.fault) as place:
        await place.configure(fsync="off")
        async with place.app() as app:
            for number in range(effort.count(PROJECTS, quick=1)):
                await ask(app, "create_project", name=f"field_{number}")
        await effort.plant(place)
        effort.tell("killed at every statement")
        deaths = await _killed_at_each(place, effort.count(1, quick=22))
        wrong = [text for death in deaths for text in death["wrong"]]
        yield none_of("databases wrong after a kill", wrong, "once migrated again")
        yield at_least("kills", len(deaths) - 1, 10, "each at another statement")
        effort.tell("eight at once")
        whole = deaths[-1]["number"]
        wrong, failed, killed = await _eight_at_once(place, effort.count(20, quick=3), whole)
        yield none_of("databases wrong after eight", wrong, "runners at once, half of them killed")
        yield none_of("survivors that failed", failed, "a runner that lived did its work")
        yield at_least("runners killed", killed, 2, "in the middle of a statement")


async def _killed_at_each(place: Scratch, stride: int) -> list[dict[str, Any]]:
    words = (str(place.home), str(stride), place.fault)
    process = await _python("tortures.doomed", *words, place=place)
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"tortures.doomed failed ({process.returncode})")
    return [json.loads(line) for line in said.splitlines()]


async def _eight_at_once(
    place: Scratch, rounds: int, whole: int
) -> tuple[list[str], list[str], int]:
    """Half of the runners die of some statement; then one more brings it to the end."""
    settings = place.settings()
    program = ("tortures.planted", place.fault) if place.fault else ("undercroft",)
    wrong: list[str] = []
    failed: list[str] = []
    killed = 0
    for number in range(rounds):
        await doomed.down(settings)
        starts = [
            words
            for last in _last_statements(whole)
            for words in (("tortures.mortal", str(last), place.fault), program)
        ]
        runners = [await _python(*words, "migrate", "up", place=place) for words in starts]
        ends = await asyncio.gather(*(runner.wait() for runner in runners))
        killed += sum(end == -signal.SIGKILL for end in ends)
        failed += [f"round {number}: exit {end}" for end in ends if end > 0]
        await doomed.up(settings)
        wrong += await doomed.wrong(settings)
    return wrong, failed, killed


def _last_statements(whole: int) -> list[int]:
    """The statement that each victim dies of.

    They are drawn evenly over the powers of `whole`, the statements of a run that does all of the
    work: a run that finds it done sends few, and is to be killed too.
    """
    victims = RUNNERS // 2
    shares = [(victim + random.random()) / victims for victim in range(victims)]  # noqa: S311 - dice
    return random.sample([int(whole**share) for share in shares], victims)


async def _python(*words: str, place: Scratch) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *words,
        env=os.environ | {"UNDERCROFT_HOME": str(place.home), "UNDERCROFT_LOG_LEVEL": "error"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE
        if words[0] == "tortures.doomed"
        else asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    place.started.append(process.pid)
    return process
