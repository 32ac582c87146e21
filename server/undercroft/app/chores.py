"""Work that no call waits for: begun when something is opened, ended with the ground."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import structlog

from undercroft.errors import UndercroftError

if TYPE_CHECKING:
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.chores")

TIDY_AFTER = 60.0
"""Seconds before the first tidying: a command that runs for a moment never pays for it."""
TIDY_EVERY = 24 * 3600.0
"""Seconds between two tidyings of a database."""


class Chores:
    """Tasks in the background that end together."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while the rest goes on."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Stop what still runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Forget = Callable[[], Awaitable[int]]
"""Removes what a room needs no longer, or makes up for what it had no time for; how many rows."""


async def tidy(
    database: Database,
    *rooms: Forget,
    after: float = TIDY_AFTER,
    every: float = TIDY_EVERY,
) -> None:
    """Remove what no client will retry and what rooms forget, again and again."""
    await asyncio.sleep(after)
    # Loaded now: a start that is over soon needs none of it.
    from undercroft.db.idempotency import SQL  # noqa: PLC0415

    while True:
        try:
            removed = await database.execute(SQL.purge_keys)
            forgotten = [await forget() for forget in rooms]
            log.debug("tidied", database=database.name, keys=removed, rooms=forgotten)
        except UndercroftError as error:
            log.warning("tidying_failed", database=database.name, error=error.code)
        await asyncio.sleep(every)
