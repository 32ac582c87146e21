"""From samples to figures: medians over interleaved rounds, and how sure they are."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

RESAMPLES = 400
"""Bootstrap resamples; the interval is their 95 %."""

Rounds = Sequence[Sequence[float]]
"""Samples of one side, by round."""

Medians = Mapping[str, float]
"""One summary (by default the median) per side."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One promise, measured."""

    name: str
    meaning: str
    """What is compared with what, in one sentence."""
    ours: float
    bare: float | None
    """The baseline of the same run; None where there is nothing to compare with."""
    unit: str
    """Of `ours` and `bare`."""
    value: float
    """What the target judges."""
    low: float
    high: float
    """The middle 95 % of bootstrap resamples of the rounds."""
    value_unit: str
    target: float
    at_least: bool = False
    samples: int
    details: Mapping[str, str] = field(default_factory=dict)
    """What else the run told that no target judges, with units."""

    @property
    def held(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self) | {"held": self.held}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What a figure promises, before it is measured."""

    name: str
    meaning: str
    unit: str
    value_unit: str
    target: float
    of: Callable[[Medians], float]
    """From the summaries of all sides to the value that is judged."""
    baseline: Callable[[Medians], float] | None = None
    """From the summaries to what stands in the column of the bare thing."""
    summary: Callable[[Sequence[float]], float] = statistics.median
    at_least: bool = False

    def figure(self, sides: Mapping[str, Rounds]) -> Figure:
        """The figure, from samples whose rounds were interleaved; `ours` is one of the sides."""
        pooled = self._summaries({side: _pool(rounds) for side, rounds in sides.items()})
        low, high = self._interval(sides)
        return Figure(
            name=self.name,
            meaning=self.meaning,
            ours=pooled["ours"],
            bare=self.baseline(pooled) if self.baseline else None,
            unit=self.unit,
            value=self.of(pooled),
            low=low,
            high=high,
            value_unit=self.value_unit,
            target=self.target,
            at_least=self.at_least,
            samples=sum(map(len, sides["ours"])),
        )

    def _summaries(self, samples: Mapping[str, Sequence[float]]) -> Medians:
        return {side: self.summary(values) for side, values in samples.items()}

    def _interval(self, sides: Mapping[str, Rounds]) -> tuple[float, float]:
        chance = random.Random(0)  # noqa: S311 - the same samples give the same interval
        count = len(sides["ours"])
        values = sorted(
            self._resampled(sides, [chance.randrange(count) for _ in range(count)])
            for _ in range(RESAMPLES)
        )
        cut = RESAMPLES // 40
        return values[cut], values[-1 - cut]

    def _resampled(self, sides: Mapping[str, Rounds], places: Sequence[int]) -> float:
        """A round is drawn with all its sides: they met the same noise."""
        drawn = {side: _pool([rounds[p] for p in places]) for side, rounds in sides.items()}
        return self.of(self._summaries(drawn))


def _pool(rounds: Rounds) -> list[float]:
    return [sample for round_ in rounds for sample in round_]


def p95(samples: Sequence[float]) -> float:
    """The value that 19 of 20 samples do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


def bare(medians: Medians) -> float:
    """The side called bare."""
    return medians["bare"]


def times_bare(medians: Medians) -> float:
    """How many times as much as the bare thing."""
    return medians["ours"] / medians["bare"]


def more_than_bare(medians: Medians) -> float:
    """How much more than the bare thing."""
    return medians["ours"] - medians["bare"]


def ours_alone(medians: Medians) -> float:
    """Ours, where the target is absolute."""
    return medians["ours"]
