"""The code of a project: its index, searches, symbols and lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from undercroft.codebase.models import Found, Hit, Place, Repository, SymbolPlace
from undercroft.codebase.roots import Roots
from undercroft.errors import InvalidInput, NotFound
from undercroft.paging import Page
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.codebase.indexing.indexer import Indexer
    from undercroft.codebase.indexing.models import RepositoryStatus
    from undercroft.codebase.places import Places
    from undercroft.db.database import Database

REFRESH_SECONDS = 1.5
"""How long a search may spend on bringing the index up to date before it answers."""

MAX_LIMIT = 50

MAX_TOKENS = 9_000
TOKEN = 4
"""Characters of a token, about."""

ANY_FOLDER = Roots()


class Codebase:
    """The code of one project."""

    def __init__(self, db: Database, roots: Roots = ANY_FOLDER) -> None:
        self._db = db
        self._roots = roots

    @property
    def indexer(self) -> Indexer:
        """What makes and keeps the index."""
        # Loaded on first use: numpy and what reads code cost nothing to those who never search.
        from undercroft.codebase.indexing.indexer import Indexer  # noqa: PLC0415

        return Indexer(self._db.outside())

    async def index(
        self, path: Path, name: str = "", wait: float = 0.0, progress: Progress = silent
    ) -> Repository:
        """Begin to index a folder, or go on with it; returns after `wait` seconds at the latest.

        Raises:
            Forbidden: This server does not index that folder.
            InvalidInput: There is no such folder, or it cannot be read.

        """
        path = await asyncio.to_thread(self._roots.checked, path)
        indexer = self.indexer
        running = await indexer.start(path, name)
        running.watchers.append(progress)
        try:
            done, _ = await asyncio.wait({running.task}, timeout=wait)
            if done:
                running.task.result()
        finally:
            running.watchers.remove(progress)
        found = await indexer.find(path)
        assert found is not None  # noqa: S101 - `start` has added it
        return _repository(found)

    async def status(self, repository: str = "") -> list[Repository]:
        """Where the index of each repository stands, or of the one that is named."""
        every = await self.indexer.list()
        if not repository:
            return [_repository(one) for one in every]
        return [_repository(one) for one in _named(every, repository)]

    async def repositories(self) -> list[Repository]:
        """Every repository, without what was left out of it."""
        return [replace(one, omitted=None) for one in await self.status()]

    async def remove(self, repository: str) -> Repository:
        """Forget a repository's index; the folder itself is not touched."""
        found = await self._one(repository)
        await self.indexer.remove(found.id)
        return _repository(found)

    async def cancel(self, repository: str) -> Repository:
        """Stop indexing; what is stored stays, and the next run goes on from there."""
        found = await self._one(repository)
        await self.indexer.cancel(found.id)
        return _repository(await self.indexer.status(found.id))

    async def search(  # noqa: PLR0913 - what a search can be narrowed by
        self,
        query: str,
        *,
        limit: int = 10,
        paths: Sequence[str] = (),
        languages: Sequence[str] = (),
        repositories: Sequence[str] = (),
        context: int = 0,
        max_tokens: int = MAX_TOKENS,
        cursor: str = "",
    ) -> Found:
        """The places that answer a question best, from an index brought up to date first.

        Fewer than `limit` come where they have more than `max_tokens` together (at four
        characters each); `next_cursor` goes on behind them.

        Raises:
            InvalidInput: The query is empty, or a filter makes no sense.
            NotFound: Nothing is indexed, or a named repository is not.

        """
        from undercroft.codebase.search import Request, Searcher  # noqa: PLC0415 - numpy

        chosen = await self._chosen(repositories)
        notes = await self._refresh(chosen)
        request = Request(
            query=query,
            limit=max(1, min(limit, MAX_LIMIT)),
            paths=tuple(paths),
            languages=tuple(languages),
            repositories=tuple(one.id for one in chosen) if repositories else (),
            context=context,
            characters=max_tokens * TOKEN,
            cursor=cursor,
        )
        return await Searcher(self._db).search(request, notes)

    async def symbol(
        self,
        name: str,
        role: str = "",
        repositories: Sequence[str] = (),
        limit: int = 20,
        cursor: str = "",
    ) -> Page[SymbolPlace]:
        """Where a name is defined and used."""
        chosen = await self._chosen(repositories)
        await self._refresh(chosen)
        return await self._places.symbol(name, role, _ids(chosen, repositories), limit, cursor)

    async def related(
        self, path: str, line: int, repositories: Sequence[str] = (), limit: int = 10
    ) -> list[Hit]:
        """What resembles the code at a place."""
        chosen = await self._chosen(repositories)
        await self._refresh(chosen)
        return await self._places.related(path, line, _ids(chosen, repositories), limit)

    async def read(
        self,
        path: str,
        start: int = 1,
        end: int = 0,
        context: int = 0,
        repositories: Sequence[str] = (),
    ) -> Place:
        """Lines of an indexed file, secrets masked."""
        chosen = await self._chosen(repositories)
        await self._refresh(chosen)
        return await self._places.read(path, start, end, context, _ids(chosen, repositories))

    async def settled(self) -> None:
        """Wait for what an index does after it can be searched: tidying, the graph of vectors."""
        await self.indexer.settled()

    async def close(self) -> None:
        """Stop what goes on in the background; each run gives its lease back."""
        await self.indexer.end()

    @property
    def _places(self) -> Places:
        from undercroft.codebase.places import Places  # noqa: PLC0415 - not for listing tools

        return Places(self._db)

    async def _one(self, name: str) -> RepositoryStatus:
        return _named(await self.indexer.list(), name)[0]

    async def _chosen(self, names: Sequence[str]) -> list[RepositoryStatus]:
        every = await self.indexer.list()
        if not every:
            raise NotFound("Nothing is indexed yet.", hint="index_repository indexes a folder.")
        return [one for name in names for one in _named(every, name)] if names else every

    async def _refresh(self, chosen: Sequence[RepositoryStatus]) -> list[str]:
        """Bring them up to date; what a reader should know of those where that did not work."""
        budget = REFRESH_SECONDS / len(chosen)
        indexer = self.indexer
        notes = []
        for one in chosen:
            try:
                fresh = await indexer.refresh(one.id, budget)
            except InvalidInput:
                notes.append(
                    f"The folder of {one.name} cannot be read: its index answers as it was last. "
                    "remove_repository forgets it."
                )
            else:
                if not fresh.complete:
                    notes.append(f"The index of {one.name} is still catching up with the disk.")
        return notes


def _named(every: Sequence[RepositoryStatus], name: str) -> list[RepositoryStatus]:
    """Those of that name, path or id.

    Raises:
        NotFound: There is none.

    """
    found = [one for one in every if name in (one.name, one.path, str(one.id))]
    if not found:
        names = ", ".join(one.name for one in every[:20])
        raise NotFound(
            f"No repository is called {name[:200]!r}.",
            hint=f"There are: {names}." if names else "index_repository indexes a folder.",
        )
    return found


def _ids(chosen: Sequence[RepositoryStatus], names: Sequence[str]) -> list[UUID]:
    return [one.id for one in chosen] if names else []


def _repository(of: RepositoryStatus) -> Repository:
    working = of.status == "in_progress" and not of.interrupted
    return Repository(
        id=of.id,
        name=of.name,
        path=of.path,
        status="interrupted" if of.interrupted else of.status,
        files=of.total_files,
        chunks=of.total_chunks,
        stage=of.stage or None if working else None,
        progress=f"{of.done}/{of.total}" if working and of.total else None,
        omitted=of.omitted or None,
        indexed_at=of.last_indexed_at,
        seconds=of.duration_seconds,
        error=of.error or None,
    )
