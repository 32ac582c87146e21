"""What stands behind the mean: by repository, by kind of question, by part of the ranking."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import fmean

from benchmarks.figures import Table
from benchmarks.quality.asking import Asked
from benchmarks.quality.data import Peer
from benchmarks.quality.leaving_out import LeftOut
from benchmarks.quality.replay import ABLATIONS, FUSED, LEXICAL, Replay
from undercroft.codebase.ranking.weights import WEIGHTS, Weights

DIGEST = re.compile(r"-([0-9a-f]{4})[0-9a-f]{8}$")
"""How a peer's version ends; four digits tell them apart."""
NOISE = 0.0005
"""A repository that differs by less is the same."""


def by_repository(
    asked: Mapping[str, Asked], left_out: Sequence[LeftOut], peers: Sequence[Peer]
) -> Table:
    """Ours, ours with weights that never saw it, and the peers."""
    columns: dict[str, Mapping[str, float]] = {"ours": {n: one.score for n, one in asked.items()}}
    if left_out:
        columns["left out"] = {one.repository: one.score for one in left_out}
    columns |= {DIGEST.sub(r"-\1", peer.name): peer.scores for peer in peers}
    rows = [
        [
            name if one.exact else f"{name} (newest)",
            str(len(one.answers)),
            *(_score(scores.get(name)) for scores in columns.values()),
        ]
        for name, one in asked.items()
    ]
    means = [_whole(asked, scores) for scores in columns.values()]
    count = sum(len(one.answers) for one in asked.values())
    rows.append(["mean", str(count), *map(_score, means)])
    return Table(
        title="NDCG@10 by repository", head=["repository", "questions", *columns], rows=rows
    )


def by_category(replay: Replay) -> Table:
    """The mean over the questions of each kind; peers published none."""
    dense = replace(FUSED, words=0.0)
    sides = [replay.by_category(one) for one in (WEIGHTS, LEXICAL, dense, FUSED)]
    ours = sides[0]
    return Table(
        title="NDCG@10 by kind of question (mean over questions)",
        head=["kind", "questions", "ours", "lexical", "dense", "fused"],
        rows=[
            [kind or "-", str(count), *(_score(side[kind][1]) for side in sides)]
            for kind, (count, _) in ours.items()
        ],
    )


def ablation(replay: Replay) -> Table:
    """What is lost where a part is switched off, and in how many repositories."""
    return Table(
        title="NDCG@10 without parts of the ranking",
        head=["ranking", "mean", "difference", "repositories better", "worse"],
        rows=[
            ["as it is", _score(replay.mean(WEIGHTS)), "", "", ""],
            *(_compared(replay, name, weights) for name, weights in ABLATIONS.items()),
        ],
    )


def _compared(replay: Replay, name: str, weights: Weights) -> list[str]:
    gains = [
        fmean(replay.scores(one, weights)) - fmean(replay.scores(one, WEIGHTS))
        for one in replay.answers
    ]
    better, worse = sum(gain > NOISE for gain in gains), sum(gain < -NOISE for gain in gains)
    return [name, _score(replay.mean(weights)), f"{fmean(gains):+.3f}", str(better), str(worse)]


def moves(on_all: Weights, left_out: Sequence[LeftOut]) -> Table:
    """How far each weight moves when a repository is left out."""
    return Table(
        title="Weights: the built-in ones, and as chosen on all repositories and without each",
        head=["weight", "built in", "on all", "least", "most", "folds that moved"],
        rows=list(_moves(asdict(on_all), [asdict(one.weights) for one in left_out])),
    )


def _moves(
    on_all: Mapping[str, float], folds: Sequence[Mapping[str, float]]
) -> Iterator[list[str]]:
    for name, value in on_all.items():
        found = [fold[name] for fold in folds]
        numbers = (asdict(WEIGHTS)[name], value, min(found), max(found))
        moved = sum(one != value for one in found)
        yield [name, *(f"{number:g}" for number in numbers), f"{moved} of {len(found)}"]


def _whole(asked: Mapping[str, Asked], scores: Mapping[str, float]) -> float | None:
    """The mean where none is lacking: another one would not compare."""
    return fmean(scores[name] for name in asked) if asked.keys() <= scores.keys() else None


def _score(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
