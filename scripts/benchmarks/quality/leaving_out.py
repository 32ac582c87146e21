"""Leave one repository out: weights chosen on the others, scored on it.

A coordinate search over few round values. It starts in the middle of each range and moves only
for a gain that is no noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from benchmarks.quality.replay import Replay
from undercroft.codebase.ranking.weights import Weights

ADDED = (0.0, 0.3, 0.5, 0.8, 1.2)
KEPT = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
GRID: Mapping[str, Sequence[float]] = {
    "name": ADDED,
    "meaning": (0.0, 0.5, 1.0, 1.5, 2.0),
    "symbol": ADDED,
    "member": ADDED,
    "definition": ADDED,
    "path": ADDED,
    "further": (0.0, 0.3, 0.4, 0.5, 0.6),
    "aside": KEPT,
    "variant": KEPT,
    "repeated": KEPT,
}
"""Values that are tried; the weight of words is 1, since only ratios count."""
START = Weights(**{name: values[len(values) // 2] for name, values in GRID.items()})
GAIN = 0.001
"""A smaller one is no reason to move: labels are good for whole points, not for tenths."""
PASSES = 4


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What came of leaving out one repository."""

    repository: str
    weights: Weights
    score: float
    """Its mean NDCG@10 with weights that never saw it."""


def leave_each_out(replay: Replay, tell: Callable[[str], None]) -> list[LeftOut]:
    """Each repository in turn."""
    found = []
    for name in replay.answers:
        tell(f"leave-one-out: without {name}")
        weights = chosen(replay, without=name)
        score = fmean(replay.scores(name, weights))
        found.append(LeftOut(repository=name, weights=weights, score=score))
    return found


def chosen(replay: Replay, without: str = "") -> Weights:
    """The weights that the repositories agree on."""
    best, reached = START, replay.mean(START, without)
    for _ in range(PASSES):
        before = best
        for name, values in GRID.items():
            tried = [replace(best, **{name: value}) for value in values]
            top = max(tried, key=lambda one: replay.mean(one, without))
            if replay.mean(top, without) >= reached + GAIN:
                best, reached = top, replay.mean(top, without)
        if best == before:
            break
    return best
