"""Opening a connection when the server may be down: back-off with jitter, then a circuit breaker.

While the breaker is open callers fail at once instead of queueing behind a dead
server; after a pause one of them probes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import asyncpg
import structlog

from undercroft.db.source import ServerAddress, Source
from undercroft.db.sqlstate import connection_lost, sqlstate
from undercroft.errors import Forbidden, NotFound, Unavailable, UndercroftError

if TYPE_CHECKING:
    from undercroft.db.limits import PoolLimits

log = structlog.get_logger("undercroft.connector")

PAUSE = 2.0
"""Seconds the breaker stays open, plus up to as much again at random."""


class Timeouts(Protocol):
    """What a connection inherits from its pool, in seconds."""

    @property
    def command_timeout(self) -> float:
        """Deadline of one statement."""

    @property
    def acquire_timeout(self) -> float:
        """How long to try."""


class Connector:
    """Opens connections to the databases of one server."""

    def __init__(self, source: Source, *, pause: float = PAUSE) -> None:
        self._source = source
        self._pause = pause
        self._closed_until = 0.0
        self._probing = False
        self._recovery: asyncio.Task[None] | None = None
        self._known: ServerAddress | None = None
        self.behind_pooler = False
        self._pooler_known = False

    async def connect(self, database: str, timeouts: PoolLimits) -> asyncpg.Connection:
        """A new connection, tried until the deadline.

        Raises:
            Unavailable: PostgreSQL does not answer, or has no connection free.
            NotFound: There is no such database.
            Forbidden: The server refuses the role or its password.

        """
        probing = self._pass_breaker()
        try:
            return await self._watched(database, timeouts)
        finally:
            if probing:
                self._probing = False

    async def _watched(self, database: str, timeouts: PoolLimits) -> asyncpg.Connection:
        try:
            connection = await self._persist(database, timeouts)
        except _Full:
            raise Unavailable("PostgreSQL has no free connection.") from None
        except _Refused:
            # A pooler says no more than this, and it is no sign that the server is down.
            raise Unavailable("PostgreSQL refuses the connection.") from None
        except Unavailable:
            self._trip()
            raise
        except UndercroftError:
            # A refusal is an answer: the server is there.
            self._closed_until = 0.0
            raise
        self._closed_until = 0.0
        return connection

    async def _persist(self, database: str, timeouts: PoolLimits) -> asyncpg.Connection:
        try:
            return await self._attempt(database, timeouts)
        except _Down:
            pass
        # First use of stamina costs 90 ms: only a server that is down pays them.
        import stamina  # noqa: PLC0415

        try:
            async for attempt in stamina.retry_context(
                on=_Down, attempts=None, timeout=timeouts.acquire_timeout, wait_max=1.0
            ):
                with attempt:
                    await self._recover()
                    return await self._attempt(database, timeouts)
        except _Full:
            raise
        except _Down:
            raise _no_answer() from None
        raise _no_answer()

    async def _attempt(self, database: str, timeouts: PoolLimits) -> asyncpg.Connection:
        if self._known is None:
            self._known = await self._source.address()
        try:
            connection = await self._open(self._known, database, timeouts)
            if not self._pooler_known:
                connection = await self._look_for_pooler(connection, database, timeouts)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise _refusal(error) from None
        return connection

    async def _open(
        self, address: ServerAddress, database: str, timeouts: PoolLimits
    ) -> asyncpg.Connection:
        options: dict[str, Any] = {"server_settings": {"application_name": "undercroft"}}
        if self._pooler_known and not self.behind_pooler:
            # The server ends a slow statement itself: a timer of the driver's costs 12 µs each.
            milliseconds = round(timeouts.command_timeout * 1000)
            options["server_settings"]["statement_timeout"] = str(milliseconds)
        else:
            options["command_timeout"] = timeouts.command_timeout
        if self.behind_pooler:
            options["statement_cache_size"] = 0
        return await asyncpg.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            database=database,
            timeout=timeouts.acquire_timeout,
            **options,
            **address.parameters,
        )

    async def _look_for_pooler(
        self, connection: asyncpg.Connection, database: str, timeouts: PoolLimits
    ) -> asyncpg.Connection:
        """A pooler invents the process id that it announces; PostgreSQL tells the truth."""
        told = connection.get_server_pid()
        async with connection.transaction():
            true = await connection.fetchval("SELECT pg_backend_pid()")
        self.behind_pooler = told != true
        self._pooler_known = True
        if not self.behind_pooler:
            return connection
        log.info("behind_pooler")
        await connection.close()
        assert self._known is not None  # noqa: S101 - set by the caller
        return await self._open(self._known, database, timeouts)

    async def _recover(self) -> None:
        """Let the source bring the server back, once for all who wait."""
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.get_running_loop().create_task(self._source.recover())
        await asyncio.shield(self._recovery)
        self._known = await self._source.address()

    def _pass_breaker(self) -> bool:
        """Whether the caller is the one that probes a server which was down."""
        now = asyncio.get_running_loop().time()
        if self._closed_until == 0.0:
            return False
        if now < self._closed_until or self._probing:
            wait = max(self._closed_until - now, 0.1)
            raise _no_answer({"retry_after_seconds": round(wait, 1)})
        self._probing = True
        return True

    def _trip(self) -> None:
        pause = self._pause * (1 + random.random())  # noqa: S311 - jitter, not a secret
        self._closed_until = asyncio.get_running_loop().time() + pause
        log.warning("postgresql_unavailable", pause_seconds=round(pause, 1))


class _Down(Exception):
    """The server took no connection; trying again may help."""


class _Full(_Down):
    """The server answers, and has no connection free."""


class _Refused(Exception):
    """A pooler answers for the server, and says no without a reason."""


def _no_answer(data: dict[str, Any] | None = None) -> Unavailable:
    return Unavailable(
        "PostgreSQL does not answer.", hint="`undercroft doctor` tells why.", data=data
    )


_ANSWERS: Mapping[str, tuple[type[UndercroftError], str, str]] = {
    "3D000": (NotFound, "The project's database does not exist.", "Run `undercroft doctor`."),
    "55000": (NotFound, "The project is archived, or being dropped.", "See list_projects."),
    "28000": (Forbidden, "PostgreSQL refuses the server's role.", "Run `undercroft doctor`."),
    "28P01": (Forbidden, "PostgreSQL refuses the server's role.", "Run `undercroft doctor`."),
    "42501": (Forbidden, "PostgreSQL refuses the server's role.", "Run `undercroft doctor`."),
}


def _refusal(error: BaseException) -> Exception:
    state = sqlstate(error)
    if state in _ANSWERS:
        kind, message, hint = _ANSWERS[state]
        return kind(message, hint=hint)
    if state == "53300":
        return _Full()
    if state == "08P01":
        return _Refused()
    if state.startswith(("08", "57")) or (not state and connection_lost(error)):
        return _Down()
    return Unavailable("PostgreSQL refused us.")
