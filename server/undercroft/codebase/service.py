"""The code of a project: its index, searches, symbols and lines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from undercroft.codebase.choice import Models
from undercroft.codebase.models import Found, Hit, Place, Repository, SymbolPlace
from undercroft.codebase.roots import Roots
from undercroft.codebase.worktrees import without_doubles
from undercroft.errors import InvalidInput, NotFound
from undercroft.paging import Page
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.codebase.indexing.indexer import Indexer
    from undercroft.codebase.indexing.models import RepositoryStatus, Standing
    from undercroft.codebase.places import Places
    from undercroft.db.database import Database

R = TypeVar("R", "RepositoryStatus", "Standing")

REFRESH_SECONDS = 1.5
"""How long a search may spend on bringing the index up to date before it answers."""

MAX_LIMIT = 50

MAX_TOKENS = 9_000
TOKEN = 4
"""Characters of a token, about."""

ANY_FOLDER = Roots()


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """The repositories that an answer is from."""

    those: Sequence[Standing]
    filter: tuple[UUID, ...] = ()
    """Their ids; empty: all there are."""
    notes: Sequence[str] = ()


class Codebase:
    """The code of one project."""

    def __init__(
        self, db: Database, roots: Roots = ANY_FOLDER, models: Models | None = None
    ) -> None:
        self._db = db
        self._roots = roots
        self._models = models or Models()

    @property
    def indexer(self) -> Indexer:
        """What makes and keeps the index."""
        # Loaded on first use: numpy and what reads code cost nothing to those who never search.
        from undercroft.codebase.indexing.indexer import Indexer  # noqa: PLC0415

        return Indexer(self._db.outside(), self._models)

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
        indexer = self.indexer
        indexer.keep_vectors()
        every = await indexer.list()
        vectors = await indexer.vectors() if every else None
        chosen = _named(every, repository) if repository else every
        return [_repository(one, vectors) for one in chosen]

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
        folder: Path | None = None,
    ) -> Found:
        """The places that answer a question best, from an index brought up to date first.

        Fewer than `limit` come where they have more than `max_tokens` together (at four
        characters each). `folder`: where the asker stands; of several worktrees of one repository
        its own one answers, else the main one.

        Raises:
            InvalidInput: The query is empty, or a filter makes no sense.
            NotFound: Nothing is indexed, or a named repository is not.

        """
        from undercroft.codebase.search import Request, Searcher  # noqa: PLC0415 - numpy

        chosen = await self._chosen(repositories, folder)
        notes = [*chosen.notes, *await self._refresh(chosen.those)]
        request = Request(
            query=query,
            limit=max(1, min(limit, MAX_LIMIT)),
            paths=tuple(paths),
            languages=tuple(languages),
            repositories=chosen.filter,
            context=context,
            characters=max_tokens * TOKEN,
            cursor=cursor,
        )
        self.indexer.keep_vectors()
        return await Searcher(self._db, self._models).search(request, notes)

    async def symbol(  # noqa: PLR0913 - what it can be narrowed by
        self,
        name: str,
        role: str = "",
        repositories: Sequence[str] = (),
        limit: int = 20,
        cursor: str = "",
        *,
        folder: Path | None = None,
    ) -> Page[SymbolPlace]:
        """Where a name is defined and used; `folder` as of `search`."""
        chosen = await self._chosen(repositories, folder)
        await self._refresh(chosen.those)
        return await self._places.symbol(name, role, chosen.filter, limit, cursor)

    async def related(
        self,
        path: str,
        line: int,
        repositories: Sequence[str] = (),
        limit: int = 10,
        *,
        folder: Path | None = None,
    ) -> list[Hit]:
        """What resembles the code at a place; `folder` as of `search`."""
        chosen = await self._chosen(repositories, folder)
        await self._refresh(chosen.those)
        return await self._places.related(path, line, chosen.filter, limit)

    async def read(  # noqa: PLR0913 - what it can be narrowed by
        self,
        path: str,
        start: int = 1,
        end: int = 0,
        context: int = 0,
        repositories: Sequence[str] = (),
        *,
        folder: Path | None = None,
    ) -> Place:
        """Lines of an indexed file, secrets masked; `folder` as of `search`."""
        chosen = await self._chosen(repositories, folder)
        await self._refresh(chosen.those)
        return await self._places.read(path, start, end, context, chosen.filter)

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

    async def _chosen(self, names: Sequence[str], folder: Path | None) -> _Chosen:
        every = await self.indexer.standing()
        if not every:
            raise NotFound("Nothing is indexed yet.", hint="index_repository indexes a folder.")
        if names:
            named = [one for name in names for one in _named(every, name)]
            return _Chosen(those=named, filter=_ids(named))
        those, note = without_doubles(every, folder)
        narrowed = len(those) < len(every)
        return _Chosen(
            those=those, filter=_ids(those) if narrowed else (), notes=[note] if note else []
        )

    async def _refresh(self, chosen: Sequence[Standing]) -> list[str]:
        """Bring them up to date; what a reader should know of those where that did not work."""
        budget = REFRESH_SECONDS / len(chosen)
        indexer = self.indexer
        notes = []
        for one in chosen:
            try:
                fresh = await indexer.refresh(one.id, budget, one)
            except InvalidInput:
                notes.append(
                    f"The folder of {one.name} cannot be read: its index answers as it was last. "
                    "remove_repository forgets it."
                )
            else:
                if not fresh.complete:
                    notes.append(f"The index of {one.name} is still catching up with the disk.")
        return notes


def _named(every: Sequence[R], name: str) -> list[R]:
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


def _ids(chosen: Sequence[Standing]) -> tuple[UUID, ...]:
    return tuple(one.id for one in chosen)


def _repository(of: RepositoryStatus, vectors: str | None = None) -> Repository:
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
        vectors=vectors,
    )
