"""What one process needs for its work on one database: runs in flight, and tools on first use."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from undercroft.codebase.indexing.planning import Look, look
from undercroft.codebase.indexing.sql import SQL
from undercroft.errors import UndercroftError

if TYPE_CHECKING:
    from undercroft.codebase.indexing.labor import Labor
    from undercroft.codebase.indexing.models import RunReport
    from undercroft.db.database import Database
    from undercroft.progress import Progress

log = structlog.get_logger("undercroft.codebase")


@dataclass(kw_only=True)
class Running:
    """A run in the background and those who watch it."""

    task: asyncio.Task[RunReport]
    watchers: list[Progress] = field(default_factory=list)

    async def tell(self, done: float, total: float | None = None, message: str = "") -> None:
        """Pass progress on."""
        for watcher in list(self.watchers):
            await watcher(done, total, message)


@dataclass(kw_only=True)
class Looks:
    """Looks at one folder: those who ask during one share the next, which sees what they did."""

    _current: asyncio.Task[Look] | None = None
    _next: asyncio.Task[Look] | None = None

    async def look(self, root: Path) -> Look:
        """A look that begins now or later."""
        if self._current is None or self._current.done():
            self._current = asyncio.get_running_loop().create_task(_look(root))
            return await asyncio.shield(self._current)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._after(self._current, root))
        return await asyncio.shield(self._next)

    async def _after(self, current: asyncio.Task[Look], root: Path) -> Look:
        await asyncio.wait({current})
        self._current, self._next = self._next, None
        return await _look(root)


async def _look(root: Path) -> Look:
    return await asyncio.to_thread(look, root)


@dataclass(kw_only=True)
class Workshop:
    """Kept with the open database."""

    runs: dict[UUID, Running] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    looks: dict[UUID, Looks] = field(default_factory=dict)
    tidied: bool = False
    """This process has looked after the database: one that was killed may have left something."""
    _tidying: asyncio.Task[None] | None = None
    _tidy_again: bool = False
    _labor: Labor | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def look(self, repository: UUID, root: Path) -> Look:
        """The folder as it is."""
        return await self.looks.setdefault(repository, Looks()).look(root)

    def labor(self) -> Labor:
        """The tools of this process, loaded once; it takes a while, so ask in a thread."""
        with self._lock:
            if self._labor is None:
                from undercroft.codebase.indexing.labor import Labor  # noqa: PLC0415 - see above

                self._labor = Labor()
            return self._labor

    async def model(self, db: Database) -> int:
        """The number of the built-in model in this database."""
        model = (await asyncio.to_thread(self.labor)).model
        if model.identity not in self.models:
            await db.execute(SQL.add_model, model.identity, model.dimension)
            self.models[model.identity] = await db.fetch_value(SQL.get_model, model.identity)
        return self.models[model.identity]

    def tidy(self, db: Database) -> None:
        """Remove what nothing holds any more, and index what has come, soon."""
        self.tidied = True
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().create_task(self._tidy(db))
        else:
            self._tidy_again = True

    async def _tidy(self, db: Database) -> None:
        from undercroft.codebase.indexing.tidying import tidy  # noqa: PLC0415 - on first use
        from undercroft.codebase.indexing.vectors import keep_index  # noqa: PLC0415

        again = True
        while again:
            self._tidy_again = False
            try:
                await tidy(db)
                await keep_index(db)
            except UndercroftError as error:
                log.info("index_not_tidied", database=db.name, error=error.code)
            again = self._tidy_again

    async def settled(self) -> None:
        """Wait for all that goes on in the background."""
        while self.runs or (self._tidying is not None and not self._tidying.done()):
            tasks: list[asyncio.Task[Any]] = [running.task for running in self.runs.values()]
            tasks += [self._tidying] if self._tidying is not None else []
            await asyncio.wait(tasks)
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Stop every run; each gives its lease back."""
        tasks: list[asyncio.Task[Any]] = [running.task for running in self.runs.values()]
        tasks += [self._tidying] if self._tidying is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
