"""The vectors of a project in the background: one task, and when it is to be tried again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from undercroft.codebase.indexing.sql import VECTORS
from undercroft.errors import UndercroftError

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.codebase")

LOOK_EVERY = 5.0
"""Seconds between two looks that a search begins: another server may have begun a change."""

AFTER_FAILURE = 30.0
"""Seconds after which it is tried again where the database did not do what it should."""


@dataclass(kw_only=True)
class Embedding:
    """Kept with the open database."""

    task: asyncio.Task[None] | None = None
    _again: bool = False
    _timer: asyncio.TimerHandle | None = None
    _next_look: float = 0.0

    def look_after(self, db: Database, models: Models) -> None:
        """Begin if nothing has begun for a while; whoever calls does not wait."""
        if asyncio.get_running_loop().time() >= self._next_look and self._timer is None:
            self.begin(db, models)

    def begin(self, db: Database, models: Models) -> None:
        """Bring the vectors in line now, or once more after the work that is under way."""
        loop = asyncio.get_running_loop()
        self._next_look = loop.time() + LOOK_EVERY
        if self.task is not None and not self.task.done():
            self._again = True
            return
        self._unwind()
        self.task = loop.create_task(self._align(db, models))

    def stop(self) -> None:
        """Begin nothing by itself any more."""
        self._unwind()

    def _unwind(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _align(self, db: Database, models: Models) -> None:
        from undercroft.codebase.indexing.succession import align  # noqa: PLC0415 - on first use

        again = True
        pause: float | None = None
        while again:
            self._again = False
            try:
                pause = await align(db, models)
            except UndercroftError as error:
                log.warning("embedding_failed", database=db.name, error=error.code)
                pause = AFTER_FAILURE
            again = self._again and pause is None
        if pause is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(pause, self._retry, db, models)

    def _retry(self, db: Database, models: Models) -> None:
        self._timer = None
        self.begin(db, models)


async def tell(db: Database, models: Models) -> str | None:
    """Where the vectors stand, for people; None: there is nothing to be said."""
    choice = await models.chosen(db.name)
    state = await db.fetch_row(VECTORS.get_vectors)
    assert state is not None  # noqa: S101 - the migration made the row
    if choice.model is None or not state["last_chunk"]:
        return choice.fault or None
    same = state["target_identity"] == await choice.model.identity()
    filled, last = state["filled_to"] if same else 0, state["last_chunk"]
    told = f"{choice.model.name}: "
    if same and filled >= last and state["answering"] == state["target"]:
        return None if choice.model.here else f"{told}complete"
    if choice.model.here and state["answering"] in (None, state["target"]) and same:
        # New chunks bring their vectors along; only the count of them lags behind.
        return None
    told += f"{min(filled, last) * 100 // max(last, 1)} % embedded"
    if state["answering_identity"] and not (same and state["answering"] == state["target"]):
        old = state["answering_identity"].rpartition("/")[0]
        told += f"; until then the vectors of {old} answer"
    return f"{told}; waits: {state['waits_for']}" if state["waits_for"] else told
