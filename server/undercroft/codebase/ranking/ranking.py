"""From candidates to a ranked list."""

from typing import NamedTuple, TypeAlias

import numpy as np

from undercroft.codebase.ranking.models import Ranked
from undercroft.codebase.ranking.signals import OWN, Floats, Numbers, Seen
from undercroft.codebase.ranking.weights import WEIGHTS, Weights

DEEPEST = 6
"""Chunks that count for their file."""
TELLING = 0.2
"""A part from this size on is a reason."""

Parts: TypeAlias = dict[str, float]


def rank(seen: Seen, *, limit: int, weights: Weights = WEIGHTS) -> list[Ranked]:
    """The best of the candidates that were seen, each chunk once."""
    if not seen.candidates:
        return []
    weighed = _weigh(seen, weights)
    ranked: dict[int, Ranked] = {}
    for row in _best_first(seen, weighed):
        if len(ranked) == limit:
            break
        chunk = seen.candidates[row].chunk
        if chunk not in ranked:
            ranked[chunk] = _explained(seen, row, weighed)
    return list(ranked.values())


class _Weighed(NamedTuple):
    """What weighing comes to, in columns."""

    weights: Weights
    score: Floats
    """Of each candidate."""
    place: Numbers
    """How many candidates of its file are better than each."""
    others: Floats
    """What all candidates but the best add to their file, for each file."""


def _weigh(seen: Seen, weights: Weights) -> _Weighed:
    """Score: what speaks for a candidate and for its file, times what puts them back."""
    own = seen.own @ np.array([getattr(weights, part) for part in OWN])
    place = _places(seen, own)
    counts = (place > 0) & (place < DEEPEST)
    further = np.where(counts, own * weights.further**place, 0.0)
    others: Floats = np.bincount(seen.files, further, len(seen.paths)).astype(np.float64)
    of_file = weights.name * seen.name + weights.path * seen.alike + others
    score = (own + of_file[seen.files]) * _back(seen, weights)[seen.files]
    # Rounded, since the sums of two rows that are alike may differ in their last bits.
    score = np.round(score * weights.repeated**place, 6)
    return _Weighed(weights, score, place, others)


def _places(seen: Seen, own: Floats) -> Numbers:
    chunks = np.array([one.chunk for one in seen.candidates], np.int64)
    best_first = np.lexsort((chunks, -own, seen.files))
    files = seen.files[best_first]
    places = np.empty(len(files), np.int64)
    places[best_first] = np.arange(len(files)) - np.searchsorted(files, files)
    return places


def _back(seen: Seen, weights: Weights) -> Floats:
    """What puts each file back."""
    aside = np.array([bool(word) for word in seen.aside])
    variants = np.array([len(words) for words in seen.variant])
    back: Floats = np.where(aside, weights.aside, 1.0) * weights.variant**variants
    return back


def _best_first(seen: Seen, weighed: _Weighed) -> list[int]:
    """Equal ones by their paths, so that the same question has the same answer."""
    keys = (weighed.place, seen.by_path[seen.files], -weighed.score)
    best: list[int] = np.lexsort(keys).tolist()
    return best


def _explained(seen: Seen, row: int, weighed: _Weighed) -> Ranked:
    file, weights = int(seen.files[row]), weighed.weights
    own = zip(OWN, seen.own[row].tolist(), strict=True)
    parts = {part: getattr(weights, part) * value for part, value in own} | {
        "name": weights.name * float(seen.name[file]),
        "path": weights.path * float(seen.alike[file]),
        "file": float(weighed.others[file]),
    }
    factors = {
        "aside": weights.aside if seen.aside[file] else 1.0,
        "variant": weights.variant ** len(seen.variant[file]),
        "repeated": weights.repeated ** int(weighed.place[row]),
    }
    return Ranked(
        candidate=seen.candidates[row],
        score=float(weighed.score[row]),
        parts=parts,
        factors={name: value for name, value in factors.items() if value != 1.0},
        reasons=_reasons(seen, row, parts),
    )


def _reasons(seen: Seen, row: int, parts: Parts) -> list[str]:
    """What counted, in words, the most first; then what put it back."""
    candidate, file = seen.candidates[row], int(seen.files[row])
    said = {
        "words": "shares its words",
        "meaning": "alike in meaning",
        "definition": f"defines {', '.join(seen.query.identifiers)}",
        "symbol": f"named like it: {candidate.symbol}",
        "member": f"named like it: {candidate.scope}.{candidate.symbol}".replace(": .", ": "),
        "name": f"its file is called {candidate.path.rpartition('/')[2]}",
        "path": "its path is alike in meaning",
        "file": "more in the same file",
    }
    telling = [kind for kind in said if parts[kind] >= TELLING]
    telling.sort(key=lambda kind: -parts[kind])
    back = {"aside": seen.aside[file], "variant": ", ".join(seen.variant[file])}
    return [said[kind] for kind in telling] + [
        f"put back: {kind} ({word})" for kind, word in back.items() if word
    ]
