"""NDCG@10 of a ranked list of chunks.

    DCG@10 = Σ 1 / log2(1 + rank)  over the targets that are found among the first ten

A target is found at the rank of the first chunk that lies in its file and overlaps its lines. The
ideal finds the targets at the ranks 1, 2, 3 …, ten of them at most. K. Järvelin and J. Kekäläinen,
"Cumulated gain-based evaluation of IR techniques", 2002, with gains of 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

from benchmarks.quality.data import Target

DEPTH = 10


class Lines(NamedTuple):
    """Where a chunk stands."""

    path: str
    first: int
    last: int


def ndcg(found: Sequence[Lines], targets: Sequence[Target]) -> float:
    """Between 0 and 1: how near a ranked list comes to the ideal one."""
    gains = [1 / log2(1 + rank) for target in targets if (rank := _rank(found, target))]
    ideal = [1 / log2(1 + rank) for rank in range(1, min(DEPTH, len(targets)) + 1)]
    # Several targets in one chunk are all found by it.
    return min(1.0, sum(gains) / sum(ideal)) if ideal else 0.0


def _rank(found: Sequence[Lines], target: Target) -> int:
    """From 1; 0 where it is not found."""
    places = enumerate(found[:DEPTH], start=1)
    return next((rank for rank, lines in places if _answers(lines, target)), 0)


def _answers(lines: Lines, target: Target) -> bool:
    if not _same_file(lines.path, target.path):
        return False
    return lines.last >= target.start and (target.end is None or lines.first <= target.end)


def _same_file(one: str, other: str) -> bool:
    """Whether one path is the other or its end; a part of a name is not its end."""
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")
