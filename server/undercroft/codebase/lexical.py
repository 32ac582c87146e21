"""BM25 over chunks: postings as bytes for the database, scores by numpy.

    score(q, d) = Σ_t  w_t · idf(t) · tf · (k1 + 1) / (tf + k1 · (1 - b + b · |d| / avg|d|))
    idf(t)      = ln(1 + (N - df + ½) / (df + ½))

after S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond",
2009, with the idf that Lucene uses since it is never negative. Nothing is approximated but
that a term counts at most 255 times in one chunk and a chunk has at most 65,535 terms.

A segment is a batch of chunks whose numbers follow each other, and never changes. Of a
term it keeps `tf` of each chunk as one byte where the term is common, and where it is
rare the places (uint16) of the chunks that have it, then their `tf`; of the two the
shorter, so the length of the bytes tells which one it is.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

K1 = 1.2
B = 0.75
"""The book's own constants: 1.2 < k1 < 2, b = 0.75."""

MAX_CHUNKS = 1 << 16
"""Chunks of one segment at most: places are uint16."""

Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]
Postings: TypeAlias = Mapping[str, Sequence[tuple[int, bytes]]]
"""Of each term, segment (its place in the collection) and bytes."""


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A batch of chunks as it is stored."""

    lengths: bytes
    """Terms of each chunk, uint16."""
    postings: dict[str, bytes]
    """Of each term the bytes that say how often which chunk has it."""
    total: int
    """Terms of all chunks."""


def build(documents: Sequence[Sequence[str]]) -> Segment:
    """A segment of chunks, each given by its terms.

    Raises:
        ValueError: More chunks than a segment holds.

    """
    if len(documents) > MAX_CHUNKS:
        message = f"A segment holds {MAX_CHUNKS} chunks."
        raise ValueError(message)
    found: dict[str, tuple[list[int], list[int]]] = {}
    for place, document in enumerate(documents):
        for term, count in Counter(document).items():
            places, counts = found.setdefault(term, ([], []))
            places.append(place)
            counts.append(min(count, 255))
    lengths = np.array([min(len(document), 65_535) for document in documents], dtype="<u2")
    return Segment(
        lengths=lengths.tobytes(),
        postings={term: _encoded(*both, len(documents)) for term, both in found.items()},
        total=int(lengths.sum(dtype=np.int64)),
    )


def _encoded(places: list[int], counts: list[int], size: int) -> bytes:
    if len(places) * 3 < size:
        return np.array(places, dtype="<u2").tobytes() + bytes(counts)
    common = bytearray(size)
    for place, count in zip(places, counts, strict=True):
        common[place] = count
    return bytes(common)


class Collection:
    """What all segments say together; made once for a state of the index, used by every search.

    A row is a chunk's place in the order of the segments as they were given.
    """

    def __init__(self, segments: Iterable[tuple[int, bytes]]) -> None:
        """Take of each segment the number of its first chunk and its lengths."""
        given = [(first, np.frombuffer(lengths, dtype="<u2")) for first, lengths in segments]
        sizes = [len(lengths) for _, lengths in given]
        self.starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self.size = int(self.starts[-1])
        self._firsts = np.array([first for first, _ in given], dtype=np.int64)
        lengths = np.concatenate([part for _, part in given] or [np.zeros(0, "<u2")])
        lengths = lengths.astype(np.float32)
        average = max(float(lengths.mean()), 1.0) if self.size else 1.0
        self._norms: Floats = np.float32(K1) * (
            np.float32(1 - B) + np.float32(B / average) * lengths
        )

    def chunks(self, rows: Numbers) -> Numbers:
        """The numbers of the chunks in these rows."""
        segments = np.searchsorted(self.starts, rows, side="right") - 1
        found: Numbers = self._firsts[segments] + rows - self.starts[segments]
        return found

    def rows(self, chunks: Numbers) -> Numbers:
        """The rows of these chunks, which must be in it; the segments were given in their order."""
        segments = np.searchsorted(self._firsts, chunks, side="right") - 1
        found: Numbers = self.starts[segments] + chunks - self._firsts[segments]
        return found

    def idf(self, postings: Postings) -> dict[str, float]:
        """How much each term tells: the fewer chunks have it, the more."""
        return {
            term: float(np.log1p((self.size - df + 0.5) / (df + 0.5)))
            for term, df in ((term, self._frequency(of)) for term, of in postings.items())
        }

    def score(self, weights: Mapping[str, float], postings: Postings) -> Floats:
        """The score of every row; a term's weight is its idf times what the query gives it."""
        scores: Floats = np.zeros(self.size, dtype=np.float32)
        for term, of in postings.items():
            weight = np.float32(weights.get(term, 0.0) * (K1 + 1))
            for segment, data in of if weight else ():
                self._add(scores, segment, data, weight)
        return scores

    def _add(self, scores: Floats, segment: int, data: bytes, weight: np.float32) -> None:
        start, end = self.starts[segment], self.starts[segment + 1]
        norms, scores = self._norms[start:end], scores[start:end]
        places, counts = self._decoded(segment, data)
        if places is None:
            scores += weight * counts / (counts + norms)
        else:
            scores[places] += weight * counts / (counts + norms[places])

    def _decoded(self, segment: int, data: bytes) -> tuple[npt.NDArray[np.uint16] | None, Floats]:
        """The places that have the term, or None for all of them, and how often."""
        if len(data) == self.starts[segment + 1] - self.starts[segment]:
            return None, np.frombuffer(data, dtype=np.uint8).astype(np.float32)
        count = len(data) // 3
        places = np.frombuffer(data, dtype="<u2", count=count)
        return places, np.frombuffer(data, dtype=np.uint8, offset=2 * count).astype(np.float32)

    def _frequency(self, of: Sequence[tuple[int, bytes]]) -> int:
        return sum(
            int(np.count_nonzero(counts))
            for _, counts in (self._decoded(segment, data) for segment, data in of)
        )


def best(scores: Floats, limit: int, visible: npt.NDArray[np.bool_] | None = None) -> Numbers:
    """The rows of the highest scores above zero, best first; only visible ones where given."""
    if visible is not None:
        scores = np.where(visible, scores, np.float32(0))
    if limit < len(scores):
        rows = np.argpartition(scores, -limit)[-limit:] if limit else np.zeros(0, np.int64)
    else:
        rows = np.arange(len(scores))
    rows = rows[scores[rows] > 0]
    found: Numbers = rows[np.lexsort((rows, -scores[rows]))]
    return found
