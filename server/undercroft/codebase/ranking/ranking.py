"""From candidates to a ranked list."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

from undercroft.codebase.ranking.models import Candidate, Ranked
from undercroft.codebase.ranking.query import Query
from undercroft.codebase.ranking.signals import Seen, SeenFile, observe
from undercroft.codebase.ranking.weights import WEIGHTS, Weights

DEEPEST = 6
"""Chunks that count for their file."""
TELLING = 0.2
"""A part from this size on is a reason."""

Parts: TypeAlias = dict[str, float]


class _File(NamedTuple):
    seen: SeenFile
    chunks: Sequence[tuple[float, Seen]]
    """Each with what it is worth alone, best first."""
    others: float
    """What all chunks but the best add."""
    added: float
    """What is added to each of its chunks."""
    factor: float
    """What puts it back."""


def rank(
    query: Query, candidates: Sequence[Candidate], *, limit: int, idf: Mapping[str, float]
) -> list[Ranked]:
    """The best candidates, each chunk once; `idf`: how much each term of the query tells."""
    return order(query, observe(query, candidates, idf), limit=limit, weights=WEIGHTS)


def order(query: Query, seen: Sequence[SeenFile], *, limit: int, weights: Weights) -> list[Ranked]:
    """The best of what was seen, weighed."""
    scored = [
        (score, place, file)
        for one in seen
        for file in [_weighed(one, weights)]
        for place, score in enumerate(_scores(file, weights))
    ]
    scored.sort(key=lambda one: (-one[0], one[2].seen.path, one[1]))
    ranked: dict[int, Ranked] = {}
    for score, place, file in scored:
        if len(ranked) == limit:
            break
        chunk = file.chunks[place][1].candidate.chunk
        if chunk not in ranked:
            ranked[chunk] = _explained(query, file, place, score, weights)
    return list(ranked.values())


def _weighed(seen: SeenFile, weights: Weights) -> _File:
    chunks = [(_own(one, weights), one) for one in seen.chunks]
    chunks.sort(key=lambda chunk: (-chunk[0], chunk[1].candidate.chunk))
    further = enumerate(chunks[1:DEEPEST], start=1)
    others = sum(own * weights.further**place for place, (own, _) in further)
    return _File(
        seen=seen,
        chunks=chunks,
        others=others,
        added=weights.name * seen.name + weights.path * seen.alike + others,
        factor=prod(_factors(seen, weights).values()),
    )


def _factors(seen: SeenFile, weights: Weights) -> Parts:
    aside = {"aside": weights.aside} if seen.aside else {}
    variant = {"variant": weights.variant ** len(seen.variant)} if seen.variant else {}
    return aside | variant


def _own(seen: Seen, weights: Weights) -> float:
    return (
        weights.words * seen.words
        + weights.meaning * seen.meaning
        + weights.definition * seen.definition
        + weights.symbol * seen.symbol
        + weights.member * seen.member
    )


def _scores(file: _File, weights: Weights) -> Iterator[float]:
    left = file.factor
    for own, _ in file.chunks:
        yield (own + file.added) * left
        left *= weights.repeated


def _explained(query: Query, file: _File, place: int, score: float, weights: Weights) -> Ranked:
    _, seen = file.chunks[place]
    parts = {
        "words": weights.words * seen.words,
        "meaning": weights.meaning * seen.meaning,
        "definition": weights.definition * seen.definition,
        "symbol": weights.symbol * seen.symbol,
        "member": weights.member * seen.member,
        "name": weights.name * file.seen.name,
        "path": weights.path * file.seen.alike,
        "file": file.others,
    }
    repeated = {"repeated": weights.repeated**place} if place else {}
    return Ranked(
        candidate=seen.candidate,
        score=score,
        parts=parts,
        factors=_factors(file.seen, weights) | repeated,
        reasons=_reasons(query, file.seen, seen.candidate, parts),
    )


def _reasons(query: Query, file: SeenFile, candidate: Candidate, parts: Parts) -> list[str]:
    """What counted, in words, the most first; then what put it back."""
    said = {
        "words": "shares its words",
        "meaning": "alike in meaning",
        "definition": f"defines {', '.join(query.identifiers)}",
        "symbol": f"named like it: {candidate.symbol}",
        "member": f"named like it: {candidate.scope}.{candidate.symbol}".replace(": .", ": "),
        "name": f"its file is called {file.path.rpartition('/')[2]}",
        "path": "its path is alike in meaning",
        "file": "more in the same file",
    }
    telling = [kind for kind in said if parts[kind] >= TELLING]
    telling.sort(key=lambda kind: -parts[kind])
    back = {"aside": file.aside, "variant": ", ".join(file.variant)}
    return [said[kind] for kind in telling] + [
        f"put back: {kind} ({word})" for kind, word in back.items() if word
    ]
