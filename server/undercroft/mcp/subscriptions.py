"""Who wants to hear of which resource, in both manners of the protocol.

Up to revision 2025-11-25 a connection subscribes and unsubscribes; from 2026-07-28 on it
listens. Either way it hears of a resource when its content has really changed: at once when
this process changed it, within seconds when another process did.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from mcp.server.subscriptions import ResourceUpdated, SubscriptionBus

from undercroft.errors import LimitReached, UndercroftError

log = structlog.get_logger("undercroft.subscriptions")

Read = Callable[[str], Awaitable[str]]

MAX_FOLLOWED = 1_000
"""Different resources that are watched at once."""

LOOK = 5.0
"""Seconds between looks at what other processes may have changed."""


class Followers:
    """Connections by the resource they follow; one that ends falls out by itself."""

    def __init__(self, read: Read, bus: SubscriptionBus) -> None:
        self._read = read
        self._bus = bus
        self._connections: dict[str, weakref.WeakSet[Any]] = {}
        self._listening: Counter[str] = Counter()
        self._seen: dict[str, bytes] = {}
        self._dirty: set[str] = set()
        self._looker: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def subscribe(self, connection: Any, uri: str) -> None:
        """Let a connection hear of a resource."""
        await self._begin(uri)
        self._connections.setdefault(uri, weakref.WeakSet()).add(connection)

    def unsubscribe(self, connection: Any, uri: str) -> None:
        """Let it hear no more."""
        self._connections.get(uri, weakref.WeakSet()).discard(connection)

    @contextmanager
    def listening(self, uris: Iterable[str]) -> Iterator[None]:
        """Watch resources while a listener of the newer protocol is open."""
        wanted = list(uris)
        self._listening.update(wanted)
        try:
            yield
        finally:
            self._listening.subtract(wanted)

    async def watch(self, uris: Iterable[str]) -> None:
        """Remember what the resources hold now, so that a change is seen."""
        for uri in uris:
            await self._begin(uri)

    async def _begin(self, uri: str) -> None:
        if uri not in self._seen:
            if len(self._seen) >= MAX_FOLLOWED:
                raise LimitReached(f"At most {MAX_FOLLOWED} resources are watched.")
            self._seen[uri] = await self._digest(uri)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep_looking())

    def touched(self, fits: Callable[[str], bool]) -> None:
        """Look at the followed resources that fit: something in this process has changed."""
        self._dirty.update(filter(fits, self._seen))
        if self._dirty and (self._looker is None or self._looker.done()):
            self._looker = asyncio.create_task(self._look_at_dirty())

    async def _look_at_dirty(self) -> None:
        while self._dirty:
            await self._look(self._dirty.pop())

    async def _look(self, uri: str) -> None:
        now = await self._digest(uri)
        if self._seen.get(uri) not in (None, now):
            self._seen[uri] = now
            await self._tell(uri)

    async def _digest(self, uri: str) -> bytes:
        try:
            text = await self._read(uri)
        except UndercroftError as error:
            text = error.code
        except Exception as error:
            log.exception("resource_unreadable", exc_info=error)
            text = ""
        return hashlib.sha256(text.encode()).digest()

    async def _tell(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))
        for connection in list(self._connections.get(uri, ())):
            await connection.send_resource_updated(uri)

    async def _keep_looking(self) -> None:
        while self._forget_unfollowed():
            began = time.monotonic()
            for uri in list(self._seen):
                await self._look(uri)
            # Where looking is slow, it is rare: one part in fifty of the time at most.
            await asyncio.sleep(max(LOOK, 50 * (time.monotonic() - began)))

    def _forget_unfollowed(self) -> bool:
        """Whether anything is still followed."""
        for uri in list(self._seen):
            if not self._connections.get(uri) and self._listening[uri] <= 0:
                self._seen.pop(uri)
                self._connections.pop(uri, None)
                self._listening.pop(uri, None)
        return bool(self._seen)
