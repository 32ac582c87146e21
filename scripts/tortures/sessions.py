"""The sessions of a server as PostgreSQL sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OURS = "backend_type = 'client backend' AND usename = 'undercroft'"


@dataclass(kw_only=True)
class Watch:
    """The most sessions that surely existed together.

    One look at pg_stat_activity is no instant: it may show a session that ends and the one that
    takes its place. Sessions seen in two looks in a row did exist together between them.
    """

    admin: Any
    most: int = 0
    looks: int = 0
    _last: set[tuple[Any, ...]] = field(default_factory=set)

    async def look(self) -> None:
        """Look once."""
        rows = await self.admin.fetch(
            f"SELECT pid, backend_start FROM pg_stat_activity WHERE {OURS}"  # noqa: S608 - constant
        )
        seen = {tuple(row) for row in rows}
        self.most = max(self.most, len(seen & self._last))
        self._last = seen
        self.looks += 1

    async def count(self, condition: str) -> int:
        """How many of our sessions meet a condition now."""
        query = f"SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND {condition}"  # noqa: S608
        found: int = await self.admin.fetchval(query)
        return found

    async def settled(self, condition: str, count: int = 0) -> int:
        """The same once it is no more than `count`, or after five seconds."""
        found = await self.count(condition)
        for _ in range(500):
            if found <= count:
                break
            await asyncio.sleep(0.01)
            found = await self.count(condition)
        return found

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watch]:
        """Look again and again for the length of the block."""

        async def on() -> None:
            while True:
                await self.look()
                await asyncio.sleep(0.002)

        task = asyncio.create_task(on())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
