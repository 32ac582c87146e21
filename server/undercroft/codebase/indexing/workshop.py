"""What one process needs for its work on one database: runs in flight, and tools on first use."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from undercroft.codebase.indexing.sql import SQL

if TYPE_CHECKING:
    from undercroft.codebase.indexing.labor import Labor
    from undercroft.codebase.indexing.models import RunReport
    from undercroft.db.database import Database
    from undercroft.progress import Progress


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
    _labor: Labor | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

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

    async def end(self) -> None:
        """Stop every run; each gives its lease back."""
        tasks = [running.task for running in self.runs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
