"""A search: candidates, their ranking, one page of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from undercroft.codebase.candidates import Candidates
from undercroft.codebase.lexical import Floats
from undercroft.codebase.meaning import Answering, Meaning, meaning_of
from undercroft.codebase.models import Found, Hit
from undercroft.codebase.ranking import Candidate, Observer, Query, Ranked, rank, read
from undercroft.codebase.view import SQL, Filter, View, Views
from undercroft.errors import InvalidInput
from undercroft.paging import PAGE_CHARACTERS, decode_cursor, encode_cursor, page_of

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.db.database import Database

MAX_QUERY = 2_000
MAX_DEPTH = 500
"""Places that one search can be paged through."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for."""

    query: str
    limit: int
    paths: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    repositories: tuple[UUID, ...] = ()
    context: int = 0
    characters: int = PAGE_CHARACTERS
    """What the places together may have, as JSON."""
    cursor: str = ""

    @property
    def filter(self) -> Filter:
        """What it is narrowed to."""
        return Filter(repositories=self.repositories, paths=self.paths, languages=self.languages)

    @property
    def offset(self) -> int:
        """How many places earlier pages have shown."""
        shown = decode_cursor(self.cursor, 1)[0] if self.cursor else 0
        if type(shown) is not int or not 0 <= shown <= MAX_DEPTH:
            raise InvalidInput("The cursor does not belong to a search.")
        return shown


@dataclass(frozen=True, kw_only=True)
class _Ranking:
    """What was found."""

    places: Sequence[Ranked]
    names: Mapping[str, str]
    """Of the repositories, by their ids."""
    lacking: str
    """What the reader should know of the vectors."""


class Searcher:
    """Searches one project's index."""

    def __init__(self, db: Database, models: Models) -> None:
        self._db = db
        self._models = models
        self._views = db.cached(Views)

    async def search(self, request: Request, notes: Sequence[str] = ()) -> Found:
        """The best places; `notes`: what a reader should know of the index.

        Raises:
            InvalidInput: The query is empty or too long, or a filter makes no sense.

        """
        query = _understood(request.query)
        ranking = await self._views.of(
            self._db, lambda view, answering: self._ranked(view, answering, query, request)
        )
        hits = await self._hits(ranking, request)
        page = page_of(
            hits,
            limit=request.limit,
            position=lambda hit: [hits.index(hit)],
            characters=request.characters,
        )
        shown = request.offset + len(page.items)
        more = shown < len(ranking.places)
        return Found(
            items=page.items,
            next_cursor=encode_cursor([shown]) if more and shown < MAX_DEPTH else None,
            note=_note(notes, ranking.lacking),
        )

    async def _ranked(
        self, view: View, answering: Answering | None, query: Query, request: Request
    ) -> _Ranking:
        find = await Candidates.among(self._db, view, request.filter)
        # Side by side, each with a statement of its own; what is alike takes the longest.
        asked = asyncio.ensure_future(meaning_of(self._models, query.text, answering))
        alike = asyncio.ensure_future(_alike(find, asked))
        try:
            lexical, called = await asyncio.gather(
                find.lexical(query.terms), find.called(query.identifiers, query.words)
            )
            found = {*lexical.top, *find.best_of(called, lexical.scores)}
            meaning = await asked
            observer = Observer(query, lexical.idf)
            await asyncio.gather(
                _observed(observer, find.described(found, lexical.scores, meaning, {})),
                _observed(observer, _further(find, alike, found, lexical.scores, meaning)),
            )
        finally:
            for task in (alike, asked):
                task.cancel()
            await asyncio.gather(alike, asked, return_exceptions=True)
        limit = min(request.offset + request.limit + 1, MAX_DEPTH)
        # Here, not in a thread: it takes milliseconds, and so does the turn of another thread.
        ranked = rank(observer.seen(), limit=limit)
        return _Ranking(places=ranked, names=view.names, lacking=meaning.note)

    async def _hits(self, ranking: _Ranking, request: Request) -> list[Hit]:
        ranked = ranking.places[request.offset :][: request.limit]
        chunks = [one.candidate.chunk for one in ranked]
        rows = await self._db.fetch(SQL.read_hits, chunks, request.context)
        texts = {row["id"]: row for row in rows}
        return [
            _hit(one, texts[one.candidate.chunk], ranking.names, request.context)
            for one in ranked
            if one.candidate.chunk in texts
        ]


async def _alike(find: Candidates, asked: asyncio.Future[Meaning]) -> Mapping[int, float]:
    return await find.dense(await asyncio.shield(asked))


async def _observed(observer: Observer, described: Awaitable[list[Candidate]]) -> None:
    observer.add(await described)


async def _further(
    find: Candidates,
    alike: asyncio.Future[Mapping[int, float]],
    found: AbstractSet[int],
    scores: Floats,
    meaning: Meaning,
) -> list[Candidate]:
    """What is alike in meaning and was not found by words."""
    further = {chunk: value for chunk, value in (await alike).items() if chunk not in found}
    return await find.described(further, scores, meaning, further)


def _understood(text: str) -> Query:
    if not text.strip():
        raise InvalidInput("The query is empty.", hint="Ask in words, or name a symbol.")
    if len(text) > MAX_QUERY:
        raise InvalidInput(f"A query has at most {MAX_QUERY} characters.")
    query = read(text)
    if not query.terms:
        raise InvalidInput("The query has no words in it.", hint="Ask in words, or name a symbol.")
    return query


def _hit(one: Ranked, row: Mapping[str, Any], names: Mapping[str, str], context: int) -> Hit:
    start, end, text = row["start_line"], row["end_line"], row["content"]
    if context and row["around"]:
        first, last = max(1, start - context), min(row["lines"], end + context)
        text, start, end = _widened(row["around"], first, last), first, last
    scope, symbol = row["scope"], one.candidate.symbol
    return Hit(
        repository=names.get(one.candidate.repository, ""),
        path=one.candidate.path,
        start_line=start,
        end_line=end,
        language=row["language"],
        kind=one.candidate.kind,
        symbol=".".join(part for part in (scope, symbol) if part),
        score=round(one.score, 4),
        parts={name: round(value, 3) for name, value in one.parts.items() if value},
        why=one.reasons,
        text=text,
    )


def _widened(around: Sequence[str], first: int, last: int) -> str:
    """The lines from first to last; what no chunk holds is blank."""
    lines = [""] * (last - first + 1)
    for piece in around:
        start, _, content = piece.partition(" ")
        for number, text in enumerate(content.split("\n"), int(start)):
            if first <= number <= last:
                lines[number - first] = text
    return "\n".join(lines)


def _note(notes: Sequence[str], lacking: str) -> str | None:
    told = [*notes, lacking] if lacking else notes
    return " ".join(told) or None
