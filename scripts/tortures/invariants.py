"""What is promised, beside what was seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum

BROKEN = "BROKEN"


class Verdict(Enum):
    """What a figure says about its promise."""

    HELD = "held"
    BROKEN = BROKEN
    INVALID = "INVALID"  # too little happened for the figures to mean anything


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One promise with its figure; `floor`: the figure shall be at least the limit."""

    name: str
    figure: float
    limit: float
    meaning: str
    floor: bool = False

    @property
    def verdict(self) -> Verdict:
        """A floor that is missed proves nothing about the promises: the run counts for nothing."""
        if self.floor:
            return Verdict.HELD if self.figure >= self.limit else Verdict.INVALID
        return Verdict.HELD if self.figure <= self.limit else Verdict.BROKEN


def none_of(name: str, found: Sequence[object], meaning: str) -> Invariant:
    """A promise that something never happens; the first few that did are named."""
    shown = f" ({', '.join(map(str, found[:3]))})" if found else ""
    return Invariant(name=name, figure=len(found), limit=0, meaning=meaning + shown)


def at_least(name: str, figure: float, limit: float, meaning: str) -> Invariant:
    """A figure without which the others would mean little."""
    return Invariant(name=name, figure=figure, limit=limit, meaning=meaning, floor=True)


def line(scenario: str, one: Invariant) -> str:
    """One invariant for a terminal."""
    sign = "≥" if one.floor else "≤"
    return (
        f"{scenario:<14}{one.name:<30}{one.figure:>10,g}  {sign} {one.limit:<8,g}"
        f"{one.verdict.value:<9}{one.meaning}"
    )


def last_line(found: Mapping[str, Sequence[Invariant]]) -> str:
    """How many held."""
    every = [one for group in found.values() for one in group]
    held = sum(one.verdict is Verdict.HELD for one in every)
    return f"{held} of {len(every)} invariants held"


def as_json(found: Mapping[str, Sequence[Invariant]]) -> str:
    """Everything, for a program."""
    return json.dumps(
        {
            "invariants": [
                {"scenario": name} | asdict(one) | {"verdict": one.verdict.value}
                for name, group in found.items()
                for one in group
            ],
            "summary": last_line(found),
        },
        indent=2,
    )


def status(found: Mapping[str, Sequence[Invariant]]) -> int:
    """Exit status: 1 where a promise broke, 2 where a run counts for nothing."""
    verdicts = {one.verdict for group in found.values() for one in group}
    if Verdict.BROKEN in verdicts:
        return 1
    return 2 if Verdict.INVALID in verdicts else 0
