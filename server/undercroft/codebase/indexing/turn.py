"""Who is at work on a project's vectors: a lease as that of a repository, one for the project."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undercroft.codebase.indexing.lease import DURATION, NOBODY, is_dead, myself
from undercroft.codebase.indexing.sql import VECTORS as SQL
from undercroft.errors import Conflict, UndercroftError

if TYPE_CHECKING:
    from undercroft.db.database import Database

RENEWAL = 5.0
"""Seconds between two words of the holder."""


class TurnLost(Conflict):
    """Another process has taken over the embedding of this project."""

    def __init__(self) -> None:
        super().__init__("Another process has taken over the embedding of this project.")


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The right to change which vectors there are."""

    db: Database
    epoch: int

    @classmethod
    async def take(cls, db: Database, state: Mapping[str, Any]) -> Turn | None:
        """Begin; None: somebody else is at work."""
        dead = state["epoch"] if state["holder"] and is_dead(state["holder"]) else NOBODY
        epoch = await db.fetch_value(SQL.take_vectors, DURATION, myself(), dead)
        return None if epoch is None else cls(db=db, epoch=epoch)

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Say again and again that we are alive.

        Whoever loses the turn all the same finds out with the next thing that it writes.
        """
        keeper = asyncio.get_running_loop().create_task(self._stay_alive())
        try:
            yield
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)

    async def _stay_alive(self) -> None:
        held = True
        while held:
            await asyncio.sleep(RENEWAL)
            with suppress(UndercroftError):
                held = await self.db.fetch_value(SQL.renew_vectors, self.epoch, DURATION)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Database]:
        """A transaction that only the holder can make.

        Raises:
            TurnLost: It is another one by now.

        """
        async with self.db.transaction() as bound:
            if await bound.fetch_value(SQL.renew_vectors, self.epoch, DURATION) is None:
                raise TurnLost
            yield bound

    async def end(self, waits_for: str = "") -> None:
        """Give it back, and tell why not all is done."""
        await self.db.execute(SQL.end_vectors, self.epoch, waits_for)
