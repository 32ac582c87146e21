"""What does not change between two searches of the same state of the index."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
import numpy.typing as npt

from undercroft.codebase.globs import patterns
from undercroft.codebase.lexical import Collection, Occurrences
from undercroft.codebase.meaning import Answering
from undercroft.db.queries import load_queries
from undercroft.errors import Unavailable

if TYPE_CHECKING:
    from undercroft.db.database import Database

T = TypeVar("T")
SQL = load_queries(__package__, "search.sql")

ATTEMPTS = 3
"""States of an index that are tried, while it is rewritten under a search."""

MASKS = 16
"""Masks that are kept, a byte for each chunk; an agent asks again with the same filter."""

OCCURRENCES = 4_000_000
"""Of terms, kept for the next search: eight bytes each, 32 MB."""

AT_ONCE = 500_000
"""Chunks whose scores are added up between two turns of the loop: some milliseconds."""

Mask = npt.NDArray[np.bool_]

_RUN = np.dtype([("first", ">i8"), ("count", ">i4")])


class Moved(Exception):
    """Segments were written anew since the state of the index was read: look again."""


class Filter(NamedTuple):
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
    """One state of the index; what searches learn of it is kept as long as it lasts."""

    key: Any = None
    names: Mapping[str, str] = field(default_factory=dict)
    """Id of a repository → its name."""
    models: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    """Number of a model → dimension of its vectors, and the last chunk in its graph."""
    collection: Collection = field(default_factory=lambda: Collection([]))
    places: Mapping[int, int] = field(default_factory=dict)
    """Number of a segment → its place in the collection."""
    _masks: OrderedDict[Filter, Mask] = field(default_factory=OrderedDict)
    _terms: OrderedDict[str, Occurrences] = field(default_factory=OrderedDict)
    _kept: int = 0

    @classmethod
    async def read(cls, db: Database, key: Any, state: Mapping[str, Any]) -> View:
        """The state that is in the database now; `key` is what tells it from others."""
        rows = await db.fetch(SQL.list_lengths)
        return cls(
            key=key,
            names=dict(state["names"] or ()),
            models={model: (size, to) for model, size, to in state["models"] or ()},
            collection=Collection((row["first_chunk"], row["lengths"]) for row in rows),
            places={row["id"]: place for place, row in enumerate(rows)},
        )

    async def mask(self, db: Database, wanted: Filter) -> Mask:
        """Which rows stand in a file that is wanted; what no file holds any more is not."""
        if wanted not in self._masks:
            runs = await db.fetch_value(SQL.list_visible, *wanted.arguments)
            self._masks[wanted] = self._mask(np.frombuffer(runs or b"", _RUN))
            if len(self._masks) > MASKS:
                self._masks.popitem(last=False)
        self._masks.move_to_end(wanted)
        return self._masks[wanted]

    def _mask(self, runs: npt.NDArray[np.void]) -> Mask:
        edges = np.zeros(self.collection.size + 1, dtype=np.int32)
        runs = runs[runs["count"] > 0]
        if len(runs) and self.collection.size:
            starts = self.collection.rows(runs["first"].astype(np.int64))
            np.add.at(edges, starts, 1)
            np.add.at(edges, starts + runs["count"], -1)
        mask: Mask = np.cumsum(edges[:-1]) > 0
        return mask

    async def terms(self, db: Database, wanted: Iterable[str]) -> dict[str, Occurrences]:
        """Where these terms stand; the work on what is not known yet is a thread's.

        Raises:
            Moved: The index is not in this state any more.

        """
        known = {term: self._terms[term] for term in wanted if term in self._terms}
        for term in known:
            self._terms.move_to_end(term)
        missing = [term for term in wanted if term not in known]
        if missing:
            rows = await db.fetch(SQL.find_postings, missing)
            found = await self.work(self._occurrences, missing, rows)
            self._keep(found)
            known |= found
        return known

    def _occurrences(
        self, terms: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> dict[str, Occurrences]:
        postings: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        try:
            for row in rows:
                postings[row["term"]].append((self.places[row["segment_id"]], row["postings"]))
        except KeyError:
            raise Moved from None
        return {term: self.collection.occurrences(postings[term]) for term in terms}

    def _keep(self, found: Mapping[str, Occurrences]) -> None:
        for term, of in found.items():
            if term not in self._terms:
                self._terms[term] = of
                self._kept += len(of)
        while self._kept > OCCURRENCES:
            self._kept -= len(self._terms.popitem(last=False)[1])

    async def having(self, db: Database, term: str) -> list[int]:
        """The chunks that have a term, whichever repository they are in."""
        rows = (await self.terms(db, [term]))[term].rows
        found: list[int] = self.collection.chunks(np.sort(rows)).tolist()
        return found

    async def work(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do it at once, or in a thread where it could keep the others waiting."""
        if self.collection.size <= AT_ONCE:
            return work(*arguments)
        return await asyncio.to_thread(work, *arguments)

    def rows_of(self, chunks: Iterable[int]) -> dict[int, int]:
        """The row of each chunk, as far as this state knows it."""
        numbers = np.array(sorted(chunks), dtype=np.int64)
        if not self.collection.size or not len(numbers):
            return {}
        rows = np.clip(self.collection.rows(numbers), 0, self.collection.size - 1)
        same = self.collection.chunks(rows) == numbers
        return dict(zip(numbers[same].tolist(), rows[same].tolist(), strict=True))


@dataclass(kw_only=True)
class Views:
    """The latest state that was read; a search that is under way keeps the one it began with."""

    latest: View = field(default_factory=View)
    _reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self, db: Database) -> tuple[View, Answering | None]:
        """The state of the index, read again when it has changed, and whose vectors answer."""
        state = await db.fetch_row(SQL.get_state)
        assert state is not None  # noqa: S101 - the migration made the row
        *key, model, identity, dimension, filled_to, last_chunk = state
        answering = model and Answering(
            id=model,
            identity=identity,
            dimension=dimension,
            filled_to=filled_to,
            last_chunk=last_chunk,
        )
        if self.latest.key == key:
            return self.latest, answering
        async with self._reading:
            if self.latest.key != key:
                self.latest = await View.read(db, key, state)
            return self.latest, answering

    async def of(self, db: Database, ask: Callable[[View, Answering | None], Awaitable[T]]) -> T:
        """Ask the present state; where the index moves on meanwhile, the next one.

        Raises:
            Unavailable: It moves on again and again.

        """
        for _ in range(ATTEMPTS):
            with suppress(Moved):
                return await ask(*await self.current(db))
        raise Unavailable("The index is being rewritten.", hint="Try again.")
