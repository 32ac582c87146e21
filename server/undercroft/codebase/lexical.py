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

SAMPLE = 8_192
"""Scores that are looked at to leave most of a million unsorted."""

SURE = 16
"""Scores of a sample that exceed its floor, at least: fewer would say little of the rest."""

Floats: TypeAlias = npt.NDArray[np.float32]
Numbers: TypeAlias = npt.NDArray[np.int64]


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


@dataclass(frozen=True, kw_only=True)
class Occurrences:
    """Where one term stands in a collection."""

    rows: npt.NDArray[np.int32]
    """Each once."""
    strengths: Floats
    """What the term gives each of them, but for the term's own weight: tf, saturated."""

    def __len__(self) -> int:
        return len(self.rows)


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

    def occurrences(self, of: Sequence[tuple[int, bytes]]) -> Occurrences:
        """Where a term stands, from its bytes in each segment (its place in the collection).

        A large collection has hundreds of segments, so all rare forms are read at once.
        """
        rare = [(segment, data) for segment, data in of if len(data) != self._size(segment)]
        sizes = np.array([len(data) // 3 for _, data in rare], dtype=np.int64)
        starts = self.starts[np.array([segment for segment, _ in rare], dtype=np.int64)]
        places = b"".join(data[: len(data) // 3 * 2] for _, data in rare)
        counts = b"".join(data[len(data) // 3 * 2 :] for _, data in rare)
        rows = [np.frombuffer(places, "<u2").astype(np.int32) + np.repeat(starts, sizes)]
        often = [np.frombuffer(counts, np.uint8)]
        for segment, data in of:
            if len(data) == self._size(segment):
                common = np.frombuffer(data, np.uint8)
                there = np.flatnonzero(common)
                rows.append(there + self.starts[segment])
                often.append(common[there])
        return self._saturated(np.concatenate(rows), np.concatenate(often))

    def _size(self, segment: int) -> int:
        return int(self.starts[segment + 1] - self.starts[segment])

    def _saturated(self, rows: Numbers, often: npt.NDArray[np.uint8]) -> Occurrences:
        times = often.astype(np.float32)
        strengths: Floats = np.float32(K1 + 1) * times / (times + self._norms[rows])
        return Occurrences(rows=rows.astype(np.int32), strengths=strengths)

    def idf(self, terms: Mapping[str, Occurrences]) -> dict[str, float]:
        """How much each term tells: the fewer chunks have it, the more."""
        return {
            term: float(np.log1p((self.size - len(of) + 0.5) / (len(of) + 0.5)))
            for term, of in terms.items()
        }

    def score(self, weights: Mapping[str, float], terms: Mapping[str, Occurrences]) -> Floats:
        """The score of every row; a term's weight is its idf times what the query gives it."""
        scores: Floats = np.zeros(self.size, dtype=np.float32)
        for term, of in terms.items():
            if weight := weights.get(term, 0.0):
                scores[of.rows] += np.float32(weight) * of.strengths
        return scores


def best(scores: Floats, limit: int, visible: npt.NDArray[np.bool_] | None = None) -> Numbers:
    """The rows of the highest scores above zero, best first; only visible ones where given."""
    rows = _above(scores, _floor(scores, limit), visible)
    if len(rows) < limit:
        rows = _above(scores, 0.0, visible)
    if limit < len(rows):
        chosen = np.argpartition(scores[rows], -limit)[-limit:] if limit else np.zeros(0, np.int64)
        rows = rows[chosen]
    found: Numbers = rows[np.lexsort((rows, -scores[rows]))]
    return found


def _above(scores: Floats, floor: float, visible: npt.NDArray[np.bool_] | None) -> Numbers:
    """The rows above: few of them, so that these are asked for and not the whole collection."""
    rows = np.flatnonzero(scores > floor)
    return rows if visible is None else rows[visible[rows]]


def _floor(scores: Floats, limit: int) -> float:
    """A score that, by a sample, some more than `limit` rows exceed; 0 if that is hard to say."""
    step = max(1, len(scores) // SAMPLE)
    sample = scores[::step]
    place = 2 * limit // step + SURE
    if place >= len(sample):
        return 0.0
    return float(np.partition(sample, -place)[-place])
