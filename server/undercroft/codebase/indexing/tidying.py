"""What no file holds is removed, and segments that are small or mostly dead are written anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from undercroft.codebase.indexing import binary
from undercroft.codebase.indexing.postings import decoded, encoded
from undercroft.codebase.indexing.sql import SQL
from undercroft.codebase.indexing.store import COLUMNS

if TYPE_CHECKING:
    from undercroft.db.database import Database

CONTENTS_AT_ONCE = 2_000

SMALL = 2_500
"""Chunks of a segment that is worth merging: a changed file makes one of ten."""

MANY = 8
"""So many small neighbours are merged: a search reads a row of each for each of its terms."""

LARGEST = 20_000
"""Chunks of a merged segment; its postings pass through memory."""

DEAD = 0.3
"""Share of a segment's chunks that may be gone before it is written anew."""


async def tidy(db: Database) -> None:
    """Remove dead contents, then mend the segments."""
    while await _remove_dead(db):
        pass
    while group := _chosen(await db.fetch(SQL.list_segments)):
        await _rewrite(db, group)


async def _remove_dead(db: Database) -> int:
    async with db.transaction() as bound:
        await bound.fetch_value(SQL.hold_numbers)
        dead = await bound.fetch(SQL.find_dead, CONTENTS_AT_ONCE)
        if dead:
            ids = [row["id"] for row in dead]
            ranges = [row["first_chunk"] for row in dead], [row["chunk_count"] for row in dead]
            await bound.execute(SQL.delete_contents, ids)
            await bound.execute(SQL.delete_symbols, ids)
            await bound.execute(SQL.delete_chunks, *ranges)
            await bound.execute(SQL.delete_embeddings, *ranges)
    return len(dead)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Neighbouring segments that one is to stand for."""

    ids: Sequence[int]
    first: int
    size: int
    live: int


def _chosen(rows: Sequence[Mapping[str, Any]]) -> _Group | None:
    """The next segments to write anew; None: all is well."""
    for row in rows:
        if row["live"] < row["written"] * (1 - DEAD):
            return _group([row])
    run: list[Mapping[str, Any]] = []
    for row in rows:
        fits = not run or row["first_chunk"] + row["chunks"] - run[0]["first_chunk"] <= LARGEST
        if row["chunks"] > SMALL or not fits:
            if len(run) >= MANY:
                return _group(run)
            run = []
        if row["chunks"] <= SMALL:
            run.append(row)
    return _group(run) if len(run) >= MANY else None


def _group(rows: Sequence[Mapping[str, Any]]) -> _Group:
    first, last = rows[0], rows[-1]
    return _Group(
        ids=[row["id"] for row in rows],
        first=first["first_chunk"],
        size=last["first_chunk"] + last["chunks"] - first["first_chunk"],
        live=sum(row["live"] for row in rows),
    )


async def _rewrite(db: Database, group: _Group) -> None:
    async with db.transaction() as bound:
        await bound.fetch_value(SQL.hold_numbers)
        segments = await bound.fetch(SQL.read_segments, group.ids)
        if len(segments) < len(group.ids):
            # Another server has been at them since they were chosen.
            return
        live = await bound.fetch(SQL.list_live, group.first, group.first + group.size)
        if live:
            await _merge(bound, group, segments, [row["id"] - group.first for row in live])
        await bound.execute(SQL.delete_postings, group.ids)
        await bound.execute(SQL.delete_segments, group.ids)


async def _merge(
    db: Database, group: _Group, segments: Sequence[Mapping[str, Any]], live: Sequence[int]
) -> None:
    """Write one segment from the first chunk that is still there to the last."""
    postings = await db.fetch(SQL.read_postings, group.ids)
    first = await db.fetch_row(SQL.take_numbers, 0, 0, 1)
    assert first is not None  # noqa: S101 - the migration made the row
    merged = _Merged(group.first, live)
    rows = await asyncio.to_thread(merged.rows, segments, postings)
    number = first["segment"]
    await db.copy(
        "codebase.postings", COLUMNS["postings"], binary.shifted(rows, (binary.FIRST, 4, number))
    )
    lengths = merged.lengths(segments)
    await db.execute(
        SQL.add_segment,
        *(number, merged.start, merged.size, len(live)),
        *(int(lengths.sum(dtype=np.int64)), lengths.tobytes()),
    )


class _Merged:
    """One segment made of several; what is dead in them has no terms."""

    def __init__(self, first: int, live: Sequence[int]) -> None:
        self.start = first + live[0]
        self.size = live[-1] - live[0] + 1
        self._alive = np.zeros(self.size, dtype=bool)
        self._alive[np.array(live) - live[0]] = True

    def lengths(self, segments: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.uint16]:
        """Terms of each chunk."""
        found = np.zeros(self.size, dtype="<u2")
        for segment in segments:
            own = np.frombuffer(segment["lengths"], dtype="<u2")
            places = np.arange(len(own)) + segment["first_chunk"] - self.start
            inside = self._inside(places)
            found[places[inside]] = own[inside]
        return found

    def rows(
        self, segments: Sequence[Mapping[str, Any]], postings: Sequence[Mapping[str, Any]]
    ) -> binary.Rows:
        """The postings, which are given in the order of their terms."""
        return binary.pack(binary.postings(self._terms(segments, postings)))

    def _terms(
        self, segments: Sequence[Mapping[str, Any]], postings: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[str, bytes]]:
        known = {row["id"]: (row["first_chunk"] - self.start, row["chunks"]) for row in segments}
        for term, rows in groupby(postings, key=lambda row: row["term"]):
            parts = [self._part(row["postings"], *known[row["segment_id"]]) for row in rows]
            places = np.concatenate([place for place, _ in parts])
            if len(places):
                counts = np.concatenate([count for _, count in parts])
                order = np.argsort(places)
                yield term, encoded(places[order], counts[order], self.size)

    def _part(self, data: bytes, shift: int, size: int) -> tuple[npt.NDArray[np.int64], Any]:
        places, counts = decoded(data, size)
        places = places + shift
        inside = self._inside(places)
        return places[inside], counts[inside]

    def _inside(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        inside = (places >= 0) & (places < self.size)
        inside[inside] = self._alive[places[inside]]
        return inside
