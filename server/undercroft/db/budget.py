"""One budget of connections over all pools of a process, shared out evenly, oldest first."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

PATIENCE = 0.1
"""Seconds that a caller of another pool waits before a freed connection is closed for its sake.

Reconnecting costs about 4 ms, a hand-over nothing: so a busy pool keeps its connections, but never
at the price of starving the others."""

TENURE_CALLERS = 50
TENURE = 0.5
"""Callers of its own database that a connection serves, or seconds for which it does so, before it
is closed for others.

Where many databases compete, strictly oldest first would reconnect for each single statement.
6,000 callers at once of 300 databases opened 3,700 to 4,900 connections in 20 to 27 s where the
tenure was 50 ms, in which a busy process serves two or three callers; with this 320 in 6 s."""


@dataclass(kw_only=True, eq=False)
class Waiter:
    """A caller that waits for a connection, or for leave to open one."""

    since: float
    turn: asyncio.Future[object]


class Bidder(Protocol):
    """A pool as the budget sees it."""

    size: int
    """Slots it holds."""

    @property
    def waiters(self) -> deque[Waiter]:
        """Callers in the order they came."""

    def may_grow(self) -> bool:
        """Whether the pool is below its own maximum."""

    def idle_since(self) -> float | None:
        """When the longest idle connection was last used; None: there is none."""

    def close_idle(self) -> None:
        """Close the longest idle connection."""


@dataclass(kw_only=True)
class Budget:
    """At most `limit` connections at any time, those being opened and closed included."""

    limit: int
    clock: Callable[[], float]
    used: int = 0
    bidders: dict[Bidder, None] = field(default_factory=dict)
    ending: set[asyncio.Task[None]] = field(default_factory=set)
    """Sessions of any pool that are being ended."""

    def take(self, bidder: Bidder) -> bool:
        """Take a slot if one is free; otherwise have the longest idle connection closed."""
        if self.used >= self.limit:
            self._reclaim()
        if self.used >= self.limit:
            return False
        self.used += 1
        bidder.size += 1
        return True

    def give_back(self, bidder: Bidder) -> None:
        """Return a slot: it goes to the pool that needs it most."""
        self.used -= 1
        bidder.size -= 1
        while self.used < self.limit and (hungry := self._neediest()):
            waiter = hungry.waiters.popleft()
            if not waiter.turn.done():
                self.used += 1
                hungry.size += 1
                waiter.turn.set_result(None)

    def rival(self, holder: Bidder, opened: float, served: int) -> bool:
        """Whether another pool's caller has waited so long that `holder` should yield a slot.

        `opened`: when, by the budget's clock, the connection began to serve this pool;
        `served`: how many callers it has served since.
        """
        if self.used < self.limit or (served < TENURE_CALLERS and self.clock() < opened + TENURE):
            return False
        bidder = self._neediest(but=holder)
        if bidder is None:
            return False
        if not holder.waiters:
            return True
        since = bidder.waiters[0].since
        return since < holder.waiters[0].since and since + PATIENCE < self.clock()

    def wanted(self, holder: Bidder) -> bool:
        """Whether another pool's caller waits for what `holder` has idle."""
        return self.used >= self.limit and self._neediest(but=holder) is not None

    def _neediest(self, but: Bidder | None = None) -> Bidder | None:
        """The pool with the fewest connections of those that wait; among equals the longest."""
        hungry = [b for b in self.bidders if b is not but and b.waiters and b.may_grow()]
        return min(hungry, key=lambda b: (b.size, b.waiters[0].since), default=None)

    def _reclaim(self) -> None:
        """Close the connection, of any pool, that has been idle longest."""
        idle = [(since, b) for b in self.bidders if (since := b.idle_since()) is not None]
        if idle:
            min(idle, key=lambda pair: pair[0])[1].close_idle()
