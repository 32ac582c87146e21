"""What a search looks at: chunks that share words with the query, and chunks alike in meaning."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from undercroft.codebase.globs import patterns
from undercroft.codebase.lexical import Collection, Floats, Numbers, best
from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "search.sql")

DEPTH = 200
"""Candidates by words, and as many by meaning: what is deeper is never among the first ten."""

FILES = 40
"""Files with a telling name that are looked at even if nothing in them was found."""

VIEWS = 16
"""Masks that are kept; an agent asks again and again with the same filters."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a search is narrowed to; empty: everything."""

    repositories: tuple[UUID, ...] = ()
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[list[UUID], list[str], list[str]]:
        """As the statements take it."""
        return (
            list(self.repositories),
            patterns(self.paths),
            [one.lower() for one in self.languages],
        )


@dataclass(kw_only=True)
class View:
    """What does not change between two searches of the same state of the index."""

    key: Any = None
    collection: Collection = field(default_factory=lambda: Collection([]))
    places: dict[int, int] = field(default_factory=dict)
    """Number of a segment → its place in the collection."""
    masks: OrderedDict[Filter, Mask] = field(default_factory=OrderedDict)

    def rows_of(self, chunks: Iterable[int]) -> dict[int, int]:
        """The row of each chunk, as far as this state knows it."""
        numbers = np.array(sorted(chunks), dtype=np.int64)
        if not self.collection.size or not len(numbers):
            return {}
        rows = np.clip(self.collection.rows(numbers), 0, self.collection.size - 1)
        same = self.collection.chunks(rows) == numbers
        return dict(zip(numbers[same].tolist(), rows[same].tolist(), strict=True))


class Candidates:
    """Finds candidates in one project's index."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._view = db.cached(View)

    async def view(self) -> View:
        """The state of the index, read again when it has changed."""
        state = await self._db.fetch_row(SQL.get_state)
        assert state is not None  # noqa: S101 - it has no FROM
        view, key = self._view, (state["repositories"], state["segments"])
        if view.key != key:
            rows = await self._db.fetch(SQL.list_lengths)
            view.collection = Collection((row["first_chunk"], row["lengths"]) for row in rows)
            view.places = {row["id"]: place for place, row in enumerate(rows)}
            view.masks.clear()
            view.key = key
        return view

    async def mask(self, view: View, wanted: Filter) -> Mask:
        """Which rows stand in a file that is wanted; what no file holds any more is not."""
        mask = view.masks.get(wanted)
        if mask is None:
            rows = await self._db.fetch(SQL.list_visible, *wanted.arguments)
            mask = _mask(view.collection, rows)
            view.masks[wanted] = mask
            if len(view.masks) > VIEWS:
                view.masks.popitem(last=False)
        view.masks.move_to_end(wanted)
        return mask

    async def lexical(
        self, view: View, weights: Mapping[str, float]
    ) -> tuple[Floats, dict[str, float]]:
        """BM25 of every row, and how much each term tells; `weights`: 1 for a plain term."""
        rows = await self._db.fetch(SQL.find_postings, list(weights))
        postings: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        for row in rows:
            if (place := view.places.get(row["segment_id"])) is not None:
                postings[row["term"]].append((place, row["postings"]))
        idf = view.collection.idf(postings)
        weighted = {term: weights[term] * value for term, value in idf.items()}
        return view.collection.score(weighted, postings), idf

    async def having(self, term: str) -> list[int]:
        """The chunks that have a term, whichever repository they are in."""
        view = await self.view()
        scores, _ = await self.lexical(view, {term: 1.0})
        rows = np.flatnonzero(scores)
        found: list[int] = view.collection.chunks(rows).tolist()
        return found

    async def dense(self, view: View, model: int, vector: str, mask: Mask) -> list[int]:
        """The wanted chunks that are the most alike in meaning."""
        rows = await self._db.fetch(SQL.find_nearest, vector, model, DEPTH, 0)
        found = _wanted(view, mask, rows)
        if len(found) < min(DEPTH // 2, int(mask.sum())):
            # The filter left out most of what is near: look only among what it leaves.
            among = view.collection.chunks(np.flatnonzero(mask)).tolist()
            rows = await self._db.fetch(SQL.find_nearest_among, vector, model, DEPTH, among)
            found = _wanted(view, mask, rows)
        return found

    async def defining(self, names: Iterable[str]) -> list[int]:
        """Chunks that define one of these names."""
        wanted = list(names)
        rows = await self._db.fetch(SQL.find_defining, wanted, DEPTH) if wanted else []
        return [row["id"] for row in rows]

    async def named(self, view: View, scores: Floats, words: Sequence[str]) -> list[int]:
        """The best chunk by words, or the first, of each file that is called like these."""
        rows = await self._db.fetch(SQL.find_named, list(words), FILES)
        found = []
        for row in rows:
            places = list(
                view.rows_of(
                    range(row["first_chunk"], row["first_chunk"] + row["chunk_count"])
                ).items()
            )
            if places:
                found.append(max(places, key=lambda place: (scores[place[1]], -place[0]))[0])
        return found


def _wanted(view: View, mask: Mask, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    places = view.rows_of(row["chunk_id"] for row in rows)
    return [chunk for chunk, row in places.items() if mask[row]]


def _mask(collection: Collection, runs: Sequence[Mapping[str, Any]]) -> Mask:
    edges = np.zeros(collection.size + 1, dtype=np.int32)
    if runs and collection.size:
        firsts = np.array([run["first_chunk"] for run in runs], dtype=np.int64)
        counts = np.array([run["chunk_count"] for run in runs], dtype=np.int64)
        starts = collection.rows(firsts[counts > 0])
        np.add.at(edges, starts, 1)
        np.add.at(edges, starts + counts[counts > 0], -1)
    mask: Mask = np.cumsum(edges[:-1]) > 0
    return mask


def top(scores: Floats, mask: Mask) -> Numbers:
    """The rows with the highest scores among those that are wanted."""
    return best(scores, DEPTH, mask)
