"""What a search looks at: chunks that share words with the query, and chunks alike in meaning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from undercroft.codebase.indexing.vectors import nearest
from undercroft.codebase.lexical import Floats, Numbers, best
from undercroft.codebase.ranking import Candidate
from undercroft.codebase.view import SQL, Filter, Mask, View

if TYPE_CHECKING:
    from undercroft.codebase.meaning import Meaning
    from undercroft.db.database import Database

DEPTH = 128
"""Candidates by meaning, and definitions: what is deeper is never among the first ten."""

BY_WORDS = 80
"""Candidates by words: as many as by meaning rank no better, and half of both rank worse."""

DEPTHS = (DEPTH, 2 * DEPTH, 4 * DEPTH, 8 * DEPTH)
"""Chunks alike in meaning that are asked for, so that a filter leaves enough of them; where it
would take more, what the filter leaves is few enough to be compared one by one."""

ENOUGH = 0.8
"""The share of `DEPTH` that a filter shall leave on average."""

FILES = 40
"""Files with a telling name that are looked at even if nothing in them was found."""


COMMON = 500
"""Files from which on a word of their names does not tell which one is meant."""


@dataclass(frozen=True, kw_only=True)
class Lexical:
    """The collection seen through the words of a query."""

    scores: Floats
    """BM25 of every row."""
    idf: Mapping[str, float]
    """How much each term tells."""
    top: Sequence[int]
    """The best chunks of those that are wanted."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Finds candidates in one state of a project's index, among what is wanted."""

    db: Database
    view: View
    wanted: Filter
    mask: Mask

    @classmethod
    async def among(cls, db: Database, view: View, wanted: Filter) -> Candidates:
        """Those that stand in wanted files."""
        return cls(db=db, view=view, wanted=wanted, mask=await view.mask(db, wanted))

    async def lexical(self, weights: Mapping[str, float]) -> Lexical:
        """What the terms of a query find; `weights`: 1 for a plain term.

        Raises:
            Moved: The index is not in this state any more.

        """
        terms = await self.view.terms(self.db, weights)
        return await self.view.work(self._scored, weights, terms)

    def _scored(self, weights: Mapping[str, float], terms: Mapping[str, Any]) -> Lexical:
        collection = self.view.collection
        idf = collection.idf({term: of for term, of in terms.items() if len(of)})
        weighted = {term: weights[term] * value for term, value in idf.items()}
        scores = collection.score(weighted, terms)
        rows: Numbers = best(scores, BY_WORDS, self.mask)
        return Lexical(scores=scores, idf=idf, top=collection.chunks(rows).tolist())

    async def dense(self, meaning: Meaning) -> Mapping[int, float]:
        """The wanted chunks that are the most alike in meaning, nearest first, and how alike."""
        there = int(np.count_nonzero(self.mask))
        if not meaning.model or not there:
            return {}
        # As many more as the filter will leave out.
        limit = next((one for one in DEPTHS if one * there >= ENOUGH * DEPTH * self.mask.size), 0)
        if limit and meaning.model in self.view.models:
            statement = nearest(meaning.model, *self.view.models[meaning.model], limit)
            rows = await self.db.fetch_text(statement, meaning.vector)
            found = self._left(rows)
            if len(found) >= min(DEPTH // 2, there):
                return found
        runs = _runs(self.view.collection.chunks(np.flatnonzero(self.mask)))
        rows = await self.db.fetch(
            SQL.find_nearest_among, meaning.vector, meaning.model, DEPTH, *runs
        )
        return self._left(rows)

    def _left(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[int, float]:
        """Those that are wanted, the nearest first."""
        alike = {row["chunk_id"]: row["similarity"] for row in rows}
        places = self.view.rows_of(alike)
        left = [one for one in alike if (row := places.get(one)) is not None and self.mask[row]]
        return {one: alike[one] for one in left[:DEPTH]}

    async def called(self, names: Iterable[str], words: Iterable[str]) -> list[tuple[int, int]]:
        """Chunks that define one of these names, and files that are called like these words.

        Of each the first chunk, and how many follow each other.
        """
        rows = await self.db.fetch(
            SQL.find_called,
            list(names),
            list(words),
            *self.wanted.arguments,
            DEPTH,
            FILES,
            COMMON,
        )
        return [(row["first_chunk"], row["chunk_count"]) for row in rows]

    def best_of(self, runs: Sequence[tuple[int, int]], scores: Floats) -> list[int]:
        """The best chunk by words, or the first, of each run."""
        places = self.view.rows_of({first for first, _ in runs})
        found = []
        for first, count in runs:
            if (row := places.get(first)) is not None:
                found.append(
                    first + int(np.argmax(scores[row : row + count])) if count > 1 else first
                )
        return found

    async def described(
        self, chunks: Iterable[int], scores: Floats, meaning: Meaning, known: Mapping[int, float]
    ) -> list[Candidate]:
        """The wanted ones of these chunks, each where it stands, as the ranking takes them.

        How alike they are is `known` of all of them, or they are compared now.
        """
        places = self.view.rows_of(chunks)
        kept = np.fromiter(places.values(), np.int64, len(places))
        lexical = dict(zip(places, scores[kept].tolist(), strict=True))
        wanted = [chunk for chunk, row in places.items() if self.mask[row]]
        if not wanted:
            return []
        model = 0 if known else meaning.model
        rows = await self.db.fetch(
            SQL.get_candidates, wanted, *self.wanted.arguments, meaning.vector, model
        )
        return [
            Candidate(chunk, repository, path, kind, symbol, lexical[chunk], alike, scope)
            for chunk, repository, path, kind, symbol, scope, compared in rows
            for alike in (known.get(chunk, compared),)
        ]


def _runs(chunks: Numbers) -> tuple[list[int], list[int]]:
    """Ascending numbers as runs: where each begins, and how long it is."""
    begins = np.flatnonzero(np.diff(chunks, prepend=-2) != 1)
    lengths = np.diff(begins, append=len(chunks))
    return chunks[begins].tolist(), lengths.tolist()
