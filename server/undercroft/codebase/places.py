"""Places by name and by position: definitions and uses, lines, and what resembles them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from undercroft.codebase.models import Hit, Place, SymbolPlace
from undercroft.db.queries import load_queries
from undercroft.errors import InvalidInput, NotFound
from undercroft.paging import Page, decode_cursor, page_of

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "places.sql")

MAX_LINES = 500
MAX_PLACES = 2_000
NEIGHBOURS = 60
"""Vectors looked at for what resembles a place; several may lie in one file."""


class Places:
    """What the index knows of a place in the code."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def symbol(
        self, name: str, role: str, repositories: Sequence[UUID], limit: int, cursor: str
    ) -> Page[SymbolPlace]:
        """Where a name is defined and used, definitions first.

        Raises:
            NotFound: It is nowhere; the hint names similar ones.

        """
        after = tuple(decode_cursor(cursor, 4)) if cursor else None
        found: list[SymbolPlace] = []
        if role != "reference":
            found += await self._definitions(name, repositories)
        if role != "definition":
            found += await self._uses(name, repositories)
        if not found:
            raise await self._unknown(name, role)
        found.sort(key=_position)
        try:
            rest = found if after is None else [one for one in found if _position(one) > after]
        except TypeError:
            raise InvalidInput("The cursor does not belong to this list.") from None
        return page_of(rest, limit=limit, position=_position)

    async def _definitions(self, name: str, repositories: Sequence[UUID]) -> list[SymbolPlace]:
        rows = await self._db.fetch(SQL.find_definitions, name, list(repositories), MAX_PLACES)
        return [
            SymbolPlace(
                repository=row["repository"],
                path=row["path"],
                role="definition",
                kind=row["kind"],
                scope=row["scope"],
                lines=[row["line"], row["end_line"]],
                text=(row["text"] or "").strip()[:300] or None,
            )
            for row in rows
        ]

    async def _uses(self, name: str, repositories: Sequence[UUID]) -> list[SymbolPlace]:
        """Files whose chunks have the name's words, asked whether they use the name itself."""
        from undercroft.codebase.view import Views  # noqa: PLC0415 - numpy
        from undercroft.codebase.words import terms  # noqa: PLC0415

        words = terms(name)[-1:]
        views = self._db.cached(Views)
        chunks = (
            await views.of(self._db, lambda view, _: view.having(self._db, words[0]))
            if words
            else []
        )
        quoted = f"{json.dumps(name, ensure_ascii=False)}:"
        rows = await self._db.fetch(SQL.find_uses, chunks, quoted, list(repositories), MAX_PLACES)
        return [
            SymbolPlace(
                repository=row["repository"],
                path=row["path"],
                role="reference",
                kind=kind,
                scope="",
                lines=names[name],
            )
            for row in rows
            for kind, names in json.loads(row["uses"]).items()
            if name in names
        ]

    async def _unknown(self, name: str, role: str) -> NotFound:
        known = await self._db.fetch(SQL.find_similar_names, name)
        names = ", ".join(row["name"] for row in known)
        return NotFound(
            f"No {role or 'symbol'} is called {name[:80]!r}.",
            hint=f"There are: {names}." if names else "semantic_search finds by meaning.",
        )

    async def read(
        self, path: str, start: int, end: int, context: int, repositories: Sequence[UUID]
    ) -> Place:
        """Lines of a file as they are indexed: with secrets masked.

        Raises:
            NotFound: No indexed file has that path.
            InvalidInput: Several have it, or the lines make no sense.

        """
        file = await self._file(path, repositories)
        first = max(1, start - context)
        last = min(file["lines"], (end or (start if start > 1 else MAX_LINES)) + context)
        if first > last:
            raise InvalidInput(f"{file['path']} has {file['lines']} lines.")
        last = min(last, first + MAX_LINES - 1)
        rows = await self._db.fetch(
            SQL.read_chunks, file["first_chunk"], file["chunk_count"], first, last
        )
        inner = max(rows, key=lambda row: min(row["end_line"], end) - max(row["start_line"], start))
        return Place(
            repository=file["repository"],
            path=file["path"],
            start_line=first,
            end_line=last,
            language=file["language"],
            kind=inner["kind"],
            symbol=qualified(inner),
            text=_lines(rows, first, last),
        )

    async def related(
        self, path: str, line: int, repositories: Sequence[UUID], limit: int
    ) -> list[Hit]:
        """What resembles a place: the nearest chunks of other files, one for each file.

        Raises:
            NotFound: No indexed file has that path, or nothing stands at that line.

        """
        file = await self._file(path, repositories)
        rows = await self._db.fetch(
            SQL.read_chunks, file["first_chunk"], file["chunk_count"], line, line
        )
        if not rows:
            raise NotFound(f"Nothing stands in line {line} of {file['path']}.")
        best: dict[tuple[str, str], Hit] = {}
        for row in await self._alike(rows[0]["id"]):
            best.setdefault((row["repository"], row["path"]), _alike(row))
        return list(best.values())[:limit]

    async def _alike(self, chunk: int) -> Sequence[Any]:
        """The chunks of other contents whose vectors are the most like that of this one."""
        from undercroft.codebase.indexing.vectors import nearest  # noqa: PLC0415 - numpy
        from undercroft.codebase.view import Views  # noqa: PLC0415

        view, _ = await self._db.cached(Views).current(self._db)
        place = await self._db.fetch_row(SQL.get_vector, chunk)
        if place is None or place["model"] not in view.models:
            return []
        statement = nearest(place["model"], *view.models[place["model"]], NEIGHBOURS)
        near = await self._db.fetch_text(statement, place["vector"])
        chunks, similarities = (
            [row["chunk_id"] for row in near],
            [row["similarity"] for row in near],
        )
        return await self._db.fetch(SQL.read_alike, chunks, similarities, place["content_id"])

    async def _file(self, path: str, repositories: Sequence[UUID]) -> Any:
        wanted = path.removeprefix("./").strip("/")
        rows = await self._db.fetch(SQL.find_file, wanted, list(repositories)) if wanted else []
        exact = [row for row in rows if row["path"] == wanted] or rows
        if not exact:
            raise NotFound(
                f"No indexed file is called {path[:200]!r}.",
                hint="get_index_status tells which files were left out, and why.",
            )
        if len({row["content_id"] for row in exact}) > 1:
            names = ", ".join(f"{row['repository']}:{row['path']}" for row in exact[:5])
            raise InvalidInput(f"Several files are called {wanted}.", hint=f"Choose one: {names}.")
        return exact[0]


def qualified(row: Any) -> str:
    """A chunk's symbol with its scope in front."""
    return ".".join(part for part in (row["scope"], row["symbol"]) if part)


def _lines(rows: Sequence[Any], first: int, last: int) -> str:
    """The text from line to line; what no chunk holds is blank."""
    lines = [""] * (last - first + 1)
    for row in rows:
        for number, text in enumerate(row["content"].split("\n"), row["start_line"]):
            if first <= number <= last:
                lines[number - first] = text
    return "\n".join(lines)


def _position(one: SymbolPlace) -> tuple[str, str, int, str]:
    return one.role, one.path, one.lines[0], one.repository


def _alike(row: Any) -> Hit:
    similarity = round(row["similarity"], 4)
    return Hit(
        repository=row["repository"],
        path=row["path"],
        start_line=row["start_line"],
        end_line=row["end_line"],
        language=row["language"],
        kind=row["kind"],
        symbol=qualified(row),
        score=similarity,
        parts={"dense": similarity},
        why=["alike in meaning"],
        text=row["content"],
    )
