"""Every pool of a process: one per database, made on first use, under one budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import structlog

from undercroft.db.budget import Budget
from undercroft.db.connector import Connector
from undercroft.db.limits import PoolLimits
from undercroft.db.pool import CLOSE_TIMEOUT, Pool

if TYPE_CHECKING:
    import asyncpg

log = structlog.get_logger("undercroft.pools")


class Pools:
    """Every pool of this process."""

    def __init__(self, connector: Connector, limit: int) -> None:
        self._connector = connector
        self._clock = asyncio.get_running_loop().time
        self.budget = Budget(limit=limit, clock=self._clock)
        self._pools: dict[str, Pool] = {}
        self._keeper: asyncio.Task[None] | None = None

    @property
    def behind_pooler(self) -> bool:
        """Whether PgBouncer or its like stands between us and PostgreSQL."""
        return self._connector.behind_pooler

    def pool(self, database: str, limits: PoolLimits) -> Pool:
        """The pool of a database; made on first use, without connecting."""
        if database not in self._pools:
            self._pools[database] = Pool(database, limits, self.budget, self._connector)
            log.debug("pool_made", database=database)
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep_tidy())
        return self._pools[database]

    async def forget(self, database: str) -> None:
        """Close what is open to a database that is archived, dropped or no longer used."""
        if pool := self._pools.get(database):
            await pool.drain()

    def expire(self, database: str) -> None:
        """Replace the connections to a database whose schema has changed."""
        if pool := self._pools.get(database):
            pool.expire()

    @asynccontextmanager
    async def dedicated(
        self, database: str, patience: float = 30.0
    ) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own for administration, closed afterwards; the budget counts it.

        `patience`: seconds to wait for it, and for a server that is just starting.
        """
        limits = PoolLimits(
            minimum=0,
            maximum=2,
            idle=0.0,
            command_timeout=600.0,
            acquire_timeout=patience,
            max_queries=1,
        )
        pool = Pool(database, limits, self.budget, self._connector)
        try:
            async with pool.connection() as connection:
                yield connection
        finally:
            await pool.close()

    def figures(self) -> dict[str, Any]:
        """Connections now: the budget, and per database size, idle and waiting callers."""
        return {
            "budget": self.budget.limit,
            "open": self.budget.used,
            "databases": {
                name: {"size": p.size, "idle": p.idle, "waiting": len(p.waiters)}
                for name, p in self._pools.items()
            },
        }

    async def close(self) -> None:
        """Close every pool."""
        if self._keeper:
            self._keeper.cancel()
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        self._pools.clear()
        while self.budget.ending:
            # A caller that was cut off has left its pool's last session to end by itself.
            await asyncio.wait(self.budget.ending, timeout=CLOSE_TIMEOUT)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(10)
            for name, pool in list(self._pools.items()):
                if pool.tidy():
                    await pool.drain()
                    log.debug("pool_evicted", database=name)
