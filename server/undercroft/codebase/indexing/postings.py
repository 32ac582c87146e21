"""The postings of a batch, counted by numpy: what `lexical.build` makes, in two thirds of the time.

Source repeats itself: the words of a batch are a twentieth of what it says. So each word is taken
apart once, and what is left is counting numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from undercroft.codebase import words
from undercroft.codebase.lexical import Segment

Numbers = npt.NDArray[np.int64]

MOST = 255
"""A term counts no more often in one chunk."""

LONGEST = 65_535
"""A chunk has no more terms."""


_COUNT_BITS = 16
"""Of a key and its count in one number: sorting numbers is faster than ordering their places."""

Key = TypeVar("Key", str, bytes)


class _Numbered(dict[Key, int]):
    """Gives every new key the next number."""

    def __missing__(self, key: Key) -> int:
        self[key] = number = len(self)
        return number


def build(texts: Sequence[str]) -> Segment:
    """The segment of these chunks."""
    tokens, documents, counts = _tokens(texts)
    terms = _Numbered[str]()
    number = terms.__getitem__
    parts = [
        list(map(number, words.terms_of(token.decode("utf-8", "surrogatepass"))))
        for token in tokens
    ]
    sizes = np.array([len(part) for part in parts], dtype=np.int64)
    flat = np.fromiter(chain.from_iterable(parts), dtype=np.int64, count=int(sizes.sum()))
    of, rows = _expanded(documents[1], sizes)
    pairs = flat[of] * len(texts) + documents[0][rows]
    return _segment(list(terms), len(texts), *_summed(pairs, counts[rows]))


def _tokens(texts: Sequence[str]) -> tuple[list[bytes], tuple[Numbers, Numbers], Numbers]:
    """All tokens; (text, token) of each that occurs; how often it does."""
    numbers = _Numbered[bytes]()
    found = [list(map(numbers.__getitem__, words.tokens(text))) for text in texts]
    lengths = [len(one) for one in found]
    ids = np.fromiter(chain.from_iterable(found), dtype=np.int64, count=sum(lengths))
    keys = ids * max(len(texts), 1) + np.repeat(np.arange(len(texts)), lengths)
    keys, counts = np.unique(keys, return_counts=True)
    token, text = np.divmod(keys, max(len(texts), 1))
    return list(numbers), (text, token), counts


def _expanded(token: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """For each part of each token's occurrence: its place among all parts, and the occurrence."""
    starts = np.cumsum(sizes) - sizes
    repeats = sizes[token]
    rows = np.repeat(np.arange(len(token)), repeats)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return starts[token[rows]] + within, rows


def _summed(keys: Numbers, counts: Numbers) -> tuple[Numbers, Numbers]:
    """Each key once, in order, with the sum of its counts."""
    both = keys << _COUNT_BITS | np.minimum(counts, LONGEST)
    both.sort()
    keys, counts = both >> _COUNT_BITS, both & LONGEST
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[first], np.add.reduceat(counts, first) if len(first) else counts


def _segment(terms: Sequence[str], size: int, keys: Numbers, counts: Numbers) -> Segment:
    term, place = np.divmod(keys, max(size, 1))
    totals = np.bincount(place, weights=counts, minlength=size).astype(np.int64)
    lengths = np.minimum(totals, LONGEST).astype("<u2")
    often = np.minimum(counts, MOST).astype(np.uint8)
    bounds = np.searchsorted(term, np.arange(len(terms) + 1)).tolist()
    places, oftens = place.astype("<u2").tobytes(), often.tobytes()
    postings = {}
    for number, name in enumerate(terms):
        start, end = bounds[number], bounds[number + 1]
        if (end - start) * 3 < size:
            postings[name] = places[2 * start : 2 * end] + oftens[start:end]
        else:
            postings[name] = encoded(place[start:end], often[start:end], size)
    return Segment(
        lengths=lengths.tobytes(), postings=postings, total=int(lengths.sum(dtype=np.int64))
    )


def encoded(places: Numbers, counts: npt.NDArray[np.uint8], size: int) -> bytes:
    """The bytes of one term: see `lexical`."""
    if len(places) * 3 < size:
        return places.astype("<u2").tobytes() + counts.tobytes()
    common = np.zeros(size, dtype=np.uint8)
    common[places] = counts
    return common.tobytes()


def decoded(data: bytes, size: int) -> tuple[Numbers, npt.NDArray[np.uint8]]:
    """The places that have a term in a segment of that many chunks, and how often."""
    if len(data) == size:
        common = np.frombuffer(data, dtype=np.uint8)
        places = np.flatnonzero(common)
        return places, common[places]
    count = len(data) // 3
    places = np.frombuffer(data, dtype="<u2", count=count).astype(np.int64)
    return places, np.frombuffer(data, dtype=np.uint8, offset=2 * count)
