"""What one process needs for its work on one database: runs in flight, and tools on first use."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from undercroft.codebase.indexing.embedding import Embedding
from undercroft.codebase.indexing.looks import Looks
from undercroft.codebase.indexing.sql import SQL, VECTORS
from undercroft.errors import UndercroftError

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.codebase.indexing.labor import Labor
    from undercroft.codebase.indexing.models import RunReport
    from undercroft.codebase.indexing.planning import Look
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
class Workshop:
    """Kept with the open database."""

    runs: dict[UUID, Running] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)
    looks: dict[UUID, Looks] = field(default_factory=dict)
    embedding: Embedding = field(default_factory=Embedding)
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

    async def model(self, db: Database, models: Models) -> int:
        """The number of the built-in model where new chunks get its vectors at once; else 0.

        They do where it is wanted, and where it still answers: it costs next to nothing.
        """
        model = (await asyncio.to_thread(self.labor)).model
        chosen = (await models.chosen(db.name)).model
        wanted = chosen is not None and chosen.here
        answering = await db.fetch_row(VECTORS.get_answering)
        if not wanted and (answering is None or answering["identity"] != model.identity):
            return 0
        if model.identity not in self.models:
            await db.execute(SQL.add_model, model.identity, model.dimension)
            self.models[model.identity] = await db.fetch_value(SQL.get_model, model.identity)
        if answering is None:
            await db.execute(VECTORS.answer_first, self.models[model.identity])
        return self.models[model.identity]

    def tidy(self, db: Database, models: Models) -> None:
        """Remove what nothing holds any more, then look after the vectors, soon."""
        self.tidied = True
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().create_task(self._tidy(db, models))
        else:
            self._tidy_again = True

    async def _tidy(self, db: Database, models: Models) -> None:
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
        self.embedding.begin(db, models)

    async def settled(self) -> None:
        """Wait for all that goes on in the background, but not for a model that is away."""
        while tasks := self._tasks:
            await asyncio.wait(tasks)
            await asyncio.sleep(0)

    @property
    def _tasks(self) -> list[asyncio.Task[Any]]:
        tasks = [running.task for running in self.runs.values()]
        further = (self._tidying, self.embedding.task)
        return tasks + [task for task in further if task is not None and not task.done()]

    async def end(self) -> None:
        """Stop every run; each gives its lease back."""
        self.embedding.stop()
        tasks = self._tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for looks in self.looks.values():
            await looks.end()
