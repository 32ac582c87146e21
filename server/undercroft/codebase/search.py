"""A search: candidates, their ranking, one page of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from undercroft.codebase.candidates import SQL, Candidates, Filter, Mask, View, top
from undercroft.codebase.embedding import builtin
from undercroft.codebase.models import Found, Hit
from undercroft.codebase.ranking import Candidate, Query, Ranked, rank, read
from undercroft.errors import InvalidInput
from undercroft.paging import PAGE_CHARACTERS, decode_cursor, encode_cursor, page_of

if TYPE_CHECKING:
    from undercroft.codebase.lexical import Floats
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
class _Meaning:
    """The query as a vector; `model` 0: there are no vectors of the model that could make it."""

    model: int
    vector: str


class Searcher:
    """Searches one project's index."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._candidates = Candidates(db)

    async def search(self, request: Request, notes: Sequence[str] = ()) -> Found:
        """The best places; `notes`: what a reader should know of the index.

        Raises:
            InvalidInput: The query is empty or too long, or a filter makes no sense.

        """
        query = _understood(request.query)
        ranked, degraded = await self._ranked(query, request)
        hits = await self._hits(ranked[request.offset :], request)
        page = page_of(
            hits,
            limit=request.limit,
            position=lambda hit: [hits.index(hit)],
            characters=request.characters,
        )
        shown = request.offset + len(page.items)
        more = shown < len(ranked)
        return Found(
            items=page.items,
            next_cursor=encode_cursor([shown]) if more and shown < MAX_DEPTH else None,
            note=_note(notes, degraded=degraded),
        )

    async def _ranked(self, query: Query, request: Request) -> tuple[list[Ranked], bool]:
        find, view = self._candidates, await self._candidates.view()
        mask = await find.mask(view, request.filter)
        scores, idf = await find.lexical(view, query.terms)
        meaning = await self._meaning(request.query)
        chosen = view.collection.chunks(top(scores, mask)).tolist()
        if meaning.model:
            chosen += await find.dense(view, meaning.model, meaning.vector, mask)
        chosen += await find.defining(query.identifiers)
        chosen += await find.named(view, scores, list(query.words))
        candidates = await self._gathered(view, mask, scores, set(chosen), request, meaning)
        limit = min(request.offset + request.limit + 1, MAX_DEPTH)
        ranked = await asyncio.to_thread(rank, query, candidates, limit=limit, idf=idf)
        return ranked, not meaning.model

    async def _meaning(self, text: str) -> _Meaning:
        model = await asyncio.to_thread(builtin)
        number = await self._db.fetch_value(SQL.get_model_number, model.identity)
        vector = model.encode([text])[0]
        return _Meaning(
            model=number or 0, vector=f"[{','.join(f'{value:.5f}' for value in vector.tolist())}]"
        )

    async def _gathered(  # noqa: PLR0913, PLR0917 - all that a candidate consists of
        self,
        view: View,
        mask: Mask,
        scores: Floats,
        chunks: Iterable[int],
        request: Request,
        meaning: _Meaning,
    ) -> list[Candidate]:
        places = view.rows_of(chunks)
        wanted = [chunk for chunk, row in places.items() if mask[row]]
        rows = await self._db.fetch(
            SQL.get_candidates, wanted, *request.filter.arguments, meaning.vector, meaning.model
        )
        return [
            Candidate(
                chunk=row["id"],
                repository=str(row["repository_id"]),
                path=row["path"],
                kind=row["kind"],
                symbol=row["symbol"],
                lexical=float(scores[places[row["id"]]]),
                dense=row["similarity"] or 0.0,
            )
            for row in rows
        ]

    async def _hits(self, ranked: Sequence[Ranked], request: Request) -> list[Hit]:
        chunks = [one.candidate.chunk for one in ranked[: request.limit]]
        rows = await self._db.fetch(SQL.read_hits, chunks, request.context)
        names = {str(row["id"]): row["name"] for row in await self._db.fetch(SQL.list_names)}
        texts = {row["id"]: row for row in rows}
        return [
            _hit(one, texts[one.candidate.chunk], names, request.context)
            for one in ranked[: request.limit]
            if one.candidate.chunk in texts
        ]


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


def _note(notes: Sequence[str], *, degraded: bool) -> str | None:
    told = (
        [*notes, "Searched by words alone: the vectors are not there yet."] if degraded else notes
    )
    return " ".join(told) or None
