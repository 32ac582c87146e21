"""The frame of every benchmark: how long it may take, and rounds that noise hits evenly."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Finding

FULL_MINUTES = 10.0
"""What a full run takes; another budget scales the number of rounds."""

MIN_ROUNDS = 3

Operation = Callable[[], Awaitable[object]]
Sampler = Callable[[], Awaitable[list[float]]]
"""One side's share of one round."""

Part = Callable[["Effort"], AsyncIterator[Finding]]
"""One benchmark: yields its figures, and the tables behind them, as they are ready."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much a run measures."""

    quick: bool = False
    minutes: float = FULL_MINUTES
    tell: Callable[[str], None]
    """Says what is going on, to a person."""
    data: Path | None = None
    """Queries with known answers, where they are to be had."""
    repositories: Path | None = None
    """Clones of the repositories that the data name."""

    def rounds(self, full: int, quick: int = MIN_ROUNDS) -> int:
        """How many rounds, by the budget."""
        if self.quick:
            return quick
        return max(MIN_ROUNDS, round(full * self.minutes / FULL_MINUTES))


async def interleave(
    sides: Mapping[str, Sampler], *, rounds: int, warm: int = 1
) -> dict[str, list[list[float]]]:
    """The samples of each side by round: A B, B A, A B …, so that noise hits all alike.

    The first `warm` rounds are thrown away. What lives before is frozen, as in the server.
    """
    samples: dict[str, list[list[float]]] = {side: [] for side in sides}
    order = list(sides)
    gc.collect()
    gc.freeze()
    for number in range(rounds + warm):
        for side in order:
            found = await sides[side]()
            if number >= warm:
                samples[side].append(found)
        order.append(order.pop(0))
    return samples


def timed(operation: Operation, block: int = 1, rest: float = 0.0) -> Sampler:
    """Milliseconds of each of `block` operations, one after the other.

    What an operation leaves to be done after its answer is not the next one's to bear: another
    process has `rest` seconds for it.
    """

    async def sample() -> list[float]:
        found = []
        for _ in range(block):
            started = time.perf_counter()
            await operation()
            found.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(rest)
        return found

    return sample


def crowd(operations: Sequence[Operation], seconds: float) -> Sampler:
    """Operations per second of as many callers at once, each repeating its own."""

    async def sample() -> list[float]:
        started = time.perf_counter()
        done = await asyncio.gather(*(_repeat(op, started + seconds) for op in operations))
        return [sum(done) / (time.perf_counter() - started)]

    return sample


async def _repeat(operation: Operation, until: float) -> int:
    done = 0
    while time.perf_counter() < until:
        await operation()
        done += 1
    return done
