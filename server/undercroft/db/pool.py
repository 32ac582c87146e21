"""Connections to one database: opened on first use, lent, retired, closed.

asyncpg's own pool is not used: it knows no budget across pools, resets a session
with a round trip on every release (ours never change session state), and has
neither a queue that is fair across databases nor a deadline by default.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from undercroft.db.budget import Budget, Waiter
from undercroft.db.connector import Connector
from undercroft.db.kept import Kept
from undercroft.db.limits import PoolLimits
from undercroft.db.sqlstate import DRIVER_ERRORS, connection_lost
from undercroft.errors import LimitReached, NotFound, OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
CLOSE_TIMEOUT = 2.0
"""Seconds for the server to end a session politely before the socket is cut."""


@dataclass(kw_only=True, eq=False)
class _Held:
    """A connection with what decides about its future."""

    connection: asyncpg.Connection
    generation: int
    opened: float
    last_used: float
    uses: int = 0


class Lease:
    """A connection on loan; written out, since every statement passes here."""

    __slots__ = ("_held", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> asyncpg.Connection:
        self._held = self._pool.take_idle() or await self._pool.acquire()
        return self._held.connection

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._pool.hand_back(self._held, error)


class Pool:
    """The connections to one database."""

    def __init__(self, database: str, limits: PoolLimits, budget: Budget, to: Connector) -> None:
        self.database = database
        self.limits = limits
        self.size = 0
        self.last_used = budget.clock()
        self.waiters: deque[Waiter] = deque()
        self._idle: deque[_Held] = deque()
        self._budget = budget
        self._connector = to
        self._generation = 0
        self._closing = False
        self._retiring: set[asyncio.Task[None]] = set()
        self._abandoned: set[asyncio.Task[_Held]] = set()
        self._kept = Kept()
        budget.bidders[self] = None

    @property
    def behind_pooler(self) -> bool:
        """Whether PgBouncer or its like stands between us and PostgreSQL."""
        return self._connector.behind_pooler

    @property
    def idle(self) -> int:
        """Open connections that nobody uses."""
        return len(self._idle)

    def cached(self, kind: type[T]) -> T:
        """The one instance of `kind` that lives as long as this pool."""
        return self._kept.of(kind)

    def expire(self) -> None:
        """Replace every connection before its next use: the schema has changed."""
        self._generation += 1
        while self._idle:
            self.close_idle()

    def connection(self) -> Lease:
        """A connection for the length of an `async with` block.

        Raises:
            LimitReached: None came free within the deadline.
            Unavailable: PostgreSQL does not answer.

        """
        return Lease(self)

    def hand_back(self, held: _Held, error: BaseException | None) -> None:
        """Take a connection back, as the block that used it has ended."""
        if error is not None and _spoils(error):
            self._retire(held)
        else:
            self._release(held)

    def take_idle(self) -> _Held | None:
        """Take an idle connection if there is one; the lease gives it back."""
        while self._idle:
            held = self._idle.pop()
            if not held.connection.is_closed():
                return held
            self._forget()
        return None

    async def acquire(self) -> _Held:
        """Open a connection, or wait for one; the lease gives it back."""
        if self._closing:
            raise Unavailable("The server is shutting down.")
        if self.may_grow() and self._budget.take(self):
            return await self._open()
        got = await self._wait()
        return got if isinstance(got, _Held) else await self._open()

    async def _wait(self) -> object:
        loop = asyncio.get_running_loop()
        waiter = Waiter(since=self._budget.clock(), turn=loop.create_future())
        self.waiters.append(waiter)
        try:
            async with asyncio.timeout(self.limits.acquire_timeout):
                return await waiter.turn
        except TimeoutError:
            self._withdraw(waiter)
            raise LimitReached(
                "All connections are busy.",
                hint="Try again, or raise UNDERCROFT_POOL_BUDGET and UNDERCROFT_PROJECT_POOL_MAX.",
            ) from None
        except asyncio.CancelledError:
            self._withdraw(waiter)
            raise

    def _withdraw(self, waiter: Waiter) -> None:
        with suppress(ValueError):
            self.waiters.remove(waiter)
        turn = waiter.turn
        if not turn.done() or turn.cancelled() or turn.exception() is not None:
            return
        got = turn.result()
        if isinstance(got, _Held):
            self._release(got)
        else:
            self._forget()

    async def _open(self) -> _Held:
        """Open a connection in the budget slot that the caller has taken.

        A caller that gives up leaves the half-open session to the pool: cut off, it would live on
        in the server for a moment after its slot is free.
        """
        opening = asyncio.get_running_loop().create_task(self._connect())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._abandoned.add(opening)
            opening.add_done_callback(self._adopt)
            raise

    def _adopt(self, opening: asyncio.Task[_Held]) -> None:
        self._abandoned.discard(opening)
        if not opening.cancelled() and opening.exception() is None:
            self._release(opening.result())

    async def _connect(self) -> _Held:
        try:
            connection = await self._connector.connect(self.database, self.limits)
        except NotFound:
            # Another database may stand under this name tomorrow.
            self._kept.forget()
            self._forget()
            raise
        except BaseException:
            self._forget()
            raise
        now = self._budget.clock()
        return _Held(connection=connection, generation=self._generation, opened=now, last_used=now)

    def _release(self, held: _Held) -> None:
        connection = held.connection
        held.last_used = self.last_used = self._budget.clock()
        held.uses += 1
        worn = held.uses >= self.limits.max_queries or held.generation != self._generation
        spent = worn or connection.is_closed() or connection.is_in_transaction()
        scarce = self._budget.used >= self._budget.limit
        if spent or self._closing or (scarce and self._budget.rival(self, held.opened, held.uses)):
            self._retire(held)
            return
        self._keep(held)
        if scarce and self._idle:
            # Not at once: the call that has just ended a statement may go on with the next.
            asyncio.get_running_loop().call_soon(self._offer)

    def _offer(self) -> None:
        """Give up an idle connection that a caller of another pool waits for."""
        if self._idle and self._budget.wanted(self):
            self.close_idle()

    def _keep(self, held: _Held) -> None:
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.turn.done():
                waiter.turn.set_result(held)
                return
        self._idle.append(held)

    def _retire(self, held: _Held) -> None:
        """End the session; its slot is free once the server has let go of it."""
        if held.connection.is_closed():
            self._forget()
            return
        task = asyncio.get_running_loop().create_task(self._end(held.connection))
        for those in (self._retiring, self._budget.ending):
            those.add(task)
            task.add_done_callback(those.discard)

    async def _end(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.close(timeout=CLOSE_TIMEOUT)
        except DRIVER_ERRORS:
            connection.terminate()
        finally:
            self._forget()

    def _forget(self) -> None:
        self._budget.give_back(self)

    def may_grow(self) -> bool:
        """Whether the pool is below its own maximum."""
        return self.size < self.limits.maximum and not self._closing

    def idle_since(self) -> float | None:
        """When the longest idle connection was last used; None: there is none."""
        return self._idle[0].last_used if self._idle else None

    def close_idle(self) -> None:
        """Close the longest idle connection."""
        self._retire(self._idle.popleft())

    def tidy(self) -> bool:
        """Close what has been idle too long; whether the pool itself has come to its end."""
        now = self._budget.clock()
        unused = now - self.last_used > self.limits.idle
        floor = 0 if unused else self.limits.minimum
        while (
            self._idle
            and len(self._idle) > floor
            and (now - self._idle[0].last_used > self.limits.idle)
        ):
            self.close_idle()
        return unused and self.size == 0 and not self.waiters

    async def drain(self) -> None:
        """Close what is idle and forget what is cached; the next use begins anew."""
        await self._await_abandoned()
        # While it still gets connections to say so.
        await self._kept.end(within=CLOSE_TIMEOUT)
        self.expire()
        await self._await_retiring()

    async def _await_retiring(self) -> None:
        """Not by a gather: whoever is cut off while waiting must not cut off the endings."""
        if self._retiring:
            await asyncio.wait(set(self._retiring))

    async def _await_abandoned(self) -> None:
        """Let openings that nobody waits for come to their end."""
        if self._abandoned:
            _, slow = await asyncio.wait(self._abandoned, timeout=CLOSE_TIMEOUT)
            for opening in slow:
                opening.cancel()

    async def close(self) -> None:
        """Close every connection that is not in use; those in use end when released."""
        await self._kept.end(within=CLOSE_TIMEOUT)
        self._closing = True
        await self._await_abandoned()
        while self._idle:
            self.close_idle()
        for waiter in self.waiters:
            if not waiter.turn.done():
                waiter.turn.set_exception(Unavailable("The server is shutting down."))
        self.waiters.clear()
        await self._await_retiring()
        self._budget.bidders.pop(self, None)


def _spoils(error: BaseException) -> bool:
    """Whether nobody knows what the session is at: cut off in mid-statement, or out of step."""
    if isinstance(error, asyncio.CancelledError | TimeoutError | Unavailable | OutcomeUnknown):
        return True
    return isinstance(error, DRIVER_ERRORS) and connection_lost(error)
