"""Searches of code over stdio, as an agent makes them, beside the bare statements they rest on.

Every search looks at the folder first, as always; the folder does not change meanwhile. No question
is asked twice, so what is remembered of terms and names helps as much as it would in use.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import code_room
from benchmarks.client import SERVE, Client, served
from benchmarks.code_room import DATABASE, PROJECT
from benchmarks.figures import Figure, Judgement, ours_alone, p95
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import bare_connection, scratch_app
from benchmarks.questions import stream
from benchmarks.recall import recall, statement_of, vector_of
from undercroft.codebase.ranking import read
from undercroft.codebase.view import SQL

if TYPE_CHECKING:
    import asyncpg

    from benchmarks.code_room import Room
    from benchmarks.figures import Medians
    from undercroft.app import App

TOOL = "semantic_search"
CALLERS = 16
CORES = 2
FILES, CHUNKS, MANY_CHUNKS = 2_700, 100_000, 1_000_000
QUICK_FILES, QUICK_CHUNKS, QUICK_MANY = 150, 3_000, 6_000
BLOCK = 10
"""Searches of one round."""


@dataclass(kw_only=True)
class Ours:
    """Searches through a server of its own."""

    client: Client
    questions: Iterator[str]

    async def search(self) -> None:
        """One search."""
        self.client.call(TOOL, self._arguments())

    async def crowd(self, searches: int) -> None:
        """So many searches, always as many under way as there are callers."""
        waiting = 0
        for _ in range(searches):
            if waiting == CALLERS:
                self.client.answer()
                waiting -= 1
            self.client.begin(TOOL, self._arguments())
            waiting += 1
        for _ in range(waiting):
            self.client.answer()

    def _arguments(self) -> Mapping[str, Any]:
        return {"project": PROJECT, "query": next(self.questions)}


@dataclass(kw_only=True)
class Bare:
    """The two statements that find candidates, by meaning and by words, on the driver alone."""

    connection: asyncpg.Connection
    questions: Iterator[str]
    nearest: str

    async def vectors(self) -> None:
        """What pgvector finds of a question."""
        await self.connection.fetch(self.nearest, vector_of(next(self.questions)))

    async def words(self) -> None:
        """The postings of a question's terms."""
        await self.connection.fetch(SQL.find_postings.text, list(read(next(self.questions)).terms))


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """A room of a hundred thousand chunks, then of a million."""
    quick = effort.quick
    async with scratch_app() as app:
        folder = app.settings.home / "folder"
        folder.mkdir()
        files, small, large = (
            (QUICK_FILES, QUICK_CHUNKS, QUICK_MANY) if quick else (FILES, CHUNKS, MANY_CHUNKS)
        )
        await code_room.make(app, folder, effort, files)
        for size, limits in ((small, (12.0, 30.0)), (large, (None, 60.0))):
            room = await code_room.grow(app, folder, effort, size)
            async for figure in figures(app, room, effort, *limits):
                yield figure


async def figures(
    app: App, room: Room, effort: Effort, half: float | None, most: float
) -> AsyncIterator[Figure]:
    """Of one room; `half` and `most`: milliseconds that half and 19 of 20 searches may take."""
    effort.tell(f"search: {room.chunks:,} chunks in {room.files:,} files")
    async with bare_connection(app, DATABASE) as connection:
        words = [row["name"] for row in await connection.fetch(code_room.SQL.list_words.text)]
        statement = await statement_of(connection)
        alone = Bare(connection=connection, questions=stream(words), nearest=statement)
        with served(SERVE, app.settings.home) as (client, _):
            client.start()
            ours = Ours(client=client, questions=stream(words))
            sides = {
                "ours": timed(ours.search, BLOCK),
                "vectors": timed(alone.vectors, BLOCK),
                "words": timed(alone.words, BLOCK),
            }
            samples = await interleave(sides, rounds=effort.rounds(40, 6), warm=1)
            if half is not None:
                yield _median(room, half).figure(samples)
            yield _p95(room, most).figure(samples)
            effort.tell("search: sixteen callers")
            yield _callers(room).figure(await _together(ours, effort))
        effort.tell("search: recall of the graph")
        yield await recall(connection, f"recall {room.chunks // 1000}k", _size(room))


async def _together(ours: Ours, effort: Effort) -> dict[str, list[list[float]]]:
    """Searches per second: one by one, and of all callers at once."""
    count = 32 if effort.quick else 64
    loop = asyncio.get_running_loop()

    async def one_by_one() -> list[float]:
        began = loop.time()
        for _ in range(count):
            await ours.search()
        return [count / (loop.time() - began)]

    async def at_once() -> list[float]:
        began = loop.time()
        await ours.crowd(count)
        return [count / (loop.time() - began)]

    sides = {"ours": at_once, "bare": one_by_one}
    return await interleave(sides, rounds=effort.rounds(10), warm=1)


def _sum(medians: Medians) -> float:
    return medians["vectors"] + medians["words"]


def _size(room: Room) -> str:
    return f"{room.chunks:,} chunks"


def _median(room: Room, limit: float) -> Judgement:
    return Judgement(
        name=f"search {room.chunks // 1000}k p50",
        meaning=f"median of {TOOL} over stdio in {_size(room)}; {room.files:,} files on disk are "
        "looked at each time; beside its bare pgvector statement plus its bare lexical one",
        unit="ms",
        value_unit="ms",
        target=limit,
        of=ours_alone,
        baseline=_sum,
    )


def _p95(room: Room, limit: float) -> Judgement:
    return Judgement(
        name=f"search {room.chunks // 1000}k p95",
        meaning=f"p95 of {TOOL} in {_size(room)} and {room.files:,} files, beside the sum of the "
        "p95 of the two statements",
        unit="ms",
        value_unit="ms",
        target=limit,
        of=ours_alone,
        baseline=_sum,
        summary=p95,
    )


def _callers(room: Room) -> Judgement:
    return Judgement(
        name=f"search {room.chunks // 1000}k, {CALLERS} callers",
        meaning=f"searches per second of {CALLERS} callers on one server in {_size(room)}, beside "
        f"one caller's rate; in percent of that rate times {CORES} cores",
        unit="/s",
        value_unit="%",
        target=60.0,
        of=lambda medians: 100 * medians["ours"] / (CORES * medians["bare"]),
        baseline=lambda medians: medians["bare"],
        at_least=True,
    )
