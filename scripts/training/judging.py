"""How well a model finds in packages that it has not seen, beside BM25 on the same."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.comments import first_sentence
from training.examples import records
from undercroft.codebase.embedding.static import StaticModel
from undercroft.codebase.words import terms

Floats = npt.NDArray[np.float64]
MOST_QUERIES = 200
"""Of one kind from one package."""
FEWEST_PAIRS, FEWEST_TOPICS, FEWEST_FILES = 20, 10, 20
"""A package with fewer says too little."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Queries on one package; `wanted` is the owner (function, file) that answers each."""

    kind: str
    package: str
    queries: list[str]
    wanted: list[int]
    texts: list[str]
    owners: npt.NDArray[np.int64]


def tasks(held_out: Iterable[tuple[Path, Path]]) -> list[Task]:
    """What is asked of each package that is held out; the files of its pairs and its chunks."""
    found = []
    for mined, chunks in held_out:
        package, pairs = mined.name, list(records(mined))
        for kind in ("function", "class", "inner", "section"):
            found += _direct(package, kind, [pair for pair in pairs if pair["kind"] == kind])
        modules = [pair for pair in pairs if pair["kind"] == "module"]
        found += _by_file(package, modules, list(records(chunks)))
    return found


def _direct(package: str, kind: str, pairs: list[dict[str, Any]]) -> list[Task]:
    if len(pairs) < FEWEST_PAIRS:
        return []
    asked = pairs[:MOST_QUERIES]
    return [
        Task(
            kind=kind,
            package=package,
            queries=[first_sentence(pair["query"]) for pair in asked],
            wanted=list(range(len(asked))),
            texts=[pair["code"] for pair in pairs],
            owners=np.arange(len(pairs)),
        )
    ]


def _by_file(package: str, pairs: list[dict[str, Any]], chunks: list[dict[str, Any]]) -> list[Task]:
    files = {path: at for at, path in enumerate(dict.fromkeys(c["path"] for c in chunks))}
    asked = {pair["query"]: pair["path"] for pair in pairs if pair["path"] in files}
    times = Counter(asked.values())
    asked = {q: p for q, p in asked.items() if times[p] == 1}
    if len(asked) < FEWEST_TOPICS or len(files) < FEWEST_FILES:
        return []
    queries = list(asked)[:MOST_QUERIES]
    return [
        Task(
            kind="topic",
            package=package,
            queries=[first_sentence(query) for query in queries],
            wanted=[files[asked[query]] for query in queries],
            texts=[chunk["text"] for chunk in chunks],
            owners=np.array([files[chunk["path"]] for chunk in chunks]),
        )
    ]


Scores = Callable[[Task], Iterable[Floats]]
"""For each query of a task the score of each text."""


def dense(model: StaticModel) -> Scores:
    """By cosine."""

    def scores(task: Task) -> Iterable[Floats]:
        texts = model.encode(task.texts)
        return np.asarray(model.encode(task.queries) @ texts.T, np.float64)

    return scores


def lexical(task: Task) -> Iterable[Floats]:
    """BM25 (k1 = 1.2, b = 0.75) over the terms of the index."""
    counts = [Counter(terms(text)) for text in task.texts]
    lengths = np.array([sum(count.values()) for count in counts], np.float64)
    norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
    postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for at, count in enumerate(counts):
        for term, times in count.items():
            postings[term].append((at, times))
    for query in task.queries:
        total = np.zeros(len(counts))
        for term in set(terms(query)):
            if held := postings.get(term):
                at, times = np.array(held).T
                rarity = math.log(1 + (len(counts) - len(held) + 0.5) / (len(held) + 0.5))
                total[at] += rarity * times * 2.2 / (times + norm[at])
        yield total


def fused(one: Scores, other: Scores, share: float = 0.5) -> Scores:
    """Two scores added, each as a part of its best."""

    def scores(task: Task) -> Iterable[Floats]:
        for first, second in zip(one(task), other(task), strict=True):
            yield (1 - share) * _part(first) + share * _part(second)

    return scores


def _part(scores: Floats) -> Floats:
    top = np.sort(scores)[-50:]
    low, high = top.min(), top.max()
    return np.asarray(np.clip((scores - low) / (high - low + 1e-9), 0, 1))


def judged(found: Sequence[Task], scores: Scores) -> dict[str, float]:
    """Mean reciprocal rank by kind: each package's mean counts once."""
    by_kind: dict[str, list[float]] = defaultdict(list)
    for task in found:
        ranks = []
        for wanted, each in zip(task.wanted, scores(task), strict=True):
            best = np.full(task.owners.max() + 1, -np.inf)
            np.maximum.at(best, task.owners, each)
            ties = (best == best[wanted]).sum() - 1
            ranks.append(1 / (1 + (best > best[wanted]).sum() + ties / 2))
        by_kind[task.kind].append(float(np.mean(ranks)))
    return {kind: round(float(np.mean(values)), 4) for kind, values in by_kind.items()}
