"""How long the migrator waits for others, and how it waits: in polls with jitter, never in a queue.

A migration that waits in PostgreSQL's lock queue makes everybody behind it wait too, and a blocking
advisory lock deadlocks with CREATE INDEX CONCURRENTLY. So waits are short and repeated.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

import asyncpg

from undercroft.db.migrate.ledger import SQL
from undercroft.db.sqlstate import DRIVER_ERRORS
from undercroft.errors import Unavailable

Connect = Callable[[str], AbstractAsyncContextManager[asyncpg.Connection]]
"""Opens a connection to the database of that name and closes it at the end."""

UNHURRIED = 7 * 86_400.0
"""Seconds given to a statement of a migration: a client-side timeout must not cut it in two."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Waiting times in seconds."""

    runner_lock: float = 300.0
    """For another runner on the same database to finish."""
    lock_timeout: float = 2.0
    """For a lock inside one attempt at a migration, while everybody queues behind us."""
    attempts: int = 12
    """Attempts at a migration whose locks are held by others."""
    concurrently: float = 600.0
    """For old transactions during CREATE INDEX CONCURRENTLY, which blocks no writer."""
    first_pause: float = 0.05
    longest_pause: float = 5.0

    async def pause(self, attempt: int) -> None:
        """Back off: twice as long each time up to the limit, and at random between half and all."""
        longest = min(self.first_pause * 2 ** min(attempt, 30), self.longest_pause)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret


@asynccontextmanager
async def runner_lock(
    connect: Connect, database: str, patience: Patience
) -> AsyncIterator[asyncpg.Connection]:
    """Be the only runner on a database; gives the connection that holds the lock.

    The lock belongs to an open, idle transaction: it survives PgBouncer in transaction mode, and
    having no snapshot it keeps no CREATE INDEX CONCURRENTLY waiting.

    Raises:
        Unavailable: Another runner is at work for longer than `patience.runner_lock`.

    """
    deadline = time.monotonic() + patience.runner_lock
    async with connect(database) as holder:
        attempt = 0
        while True:
            transaction = holder.transaction()
            await transaction.start()
            try:
                await holder.execute(SQL.lift_timeouts.text)
                # A plain query: the portal of a prepared one would keep its snapshot open.
                if await holder.execute(SQL.try_runner_lock.text) == "SELECT 1":
                    yield holder
                    return
            finally:
                # A lost connection has released the lock already, and is closed right away.
                with suppress(*DRIVER_ERRORS):
                    await transaction.rollback()
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"Another process has been migrating {database} for "
                    f"{patience.runner_lock:.0f} seconds.",
                    hint="Wait until it is done, or look for its session in pg_stat_activity.",
                )
            await patience.pause(attempt)
            attempt += 1


async def confirm_lock(holder: asyncpg.Connection, database: str) -> None:
    """Make sure that the lock is still ours.

    Raises:
        Unavailable: The connection that held it is gone, so another runner may be at work.

    """
    try:
        await holder.execute("SELECT")
    except DRIVER_ERRORS:
        raise Unavailable(
            f"The connection that kept other runners away from {database} was lost.",
            hint="Nothing is half done. Run it again.",
        ) from None
