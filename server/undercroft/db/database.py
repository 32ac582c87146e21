"""A database as a service sees it: named statements and one transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from undercroft.db.queries import Query, make_query
from undercroft.db.sqlstate import DRIVER_ERRORS, connection_lost, stale_plan, translate

if TYPE_CHECKING:
    import asyncpg

    from undercroft.db.pool import Pool

T = TypeVar("T")
Statement = Callable[..., Awaitable[Any]]

PIECE = 1 << 18
"""Bytes of a COPY that are handed to the connection at once; between two others have their turn."""


class Database:
    """One database, through its pool or bound to the connection of one transaction.

    Every method raises errors of `undercroft.errors` only. Parameters and
    columns have asyncpg's Python types; `jsonb` travels as text.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        actor: str = "undercroft",
        connection: asyncpg.Connection | None = None,
        timeout: float | None = None,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._timeout = timeout
        self.actor = actor

    @property
    def name(self) -> str:
        """The database's name in PostgreSQL."""
        return self._pool.database

    def acting_as(self, actor: str) -> Database:
        """The same database for another actor."""
        return Database(self._pool, actor=actor, connection=self._connection, timeout=self._timeout)

    def cached(self, kind: type[T]) -> T:
        """The one instance of `kind` that lives as long as this database stays open."""
        return self._pool.cached(kind)

    def fetch(self, query: Query, *args: Any) -> Coroutine[Any, Any, list[asyncpg.Record]]:
        """All rows."""
        return self._run("fetch", query, args)

    def fetch_row(self, query: Query, *args: Any) -> Coroutine[Any, Any, asyncpg.Record | None]:
        """The first row, or None."""
        return self._run("fetchrow", query, args)

    def fetch_value(self, query: Query, *args: Any) -> Coroutine[Any, Any, Any]:
        """The first column of the first row, or None."""
        return self._run("fetchval", query, args)

    async def execute(self, query: Query, *args: Any) -> int:
        """Run for its effect; the number of rows it touched."""
        status: str = await self._run("execute", query, args)
        return int(status.rpartition(" ")[2]) if status[-1:].isdigit() else 0

    async def fetch_text(self, text: str, *args: Any) -> list[asyncpg.Record]:
        """All rows of a statement that our own code has built."""
        return await self.fetch(make_query("built", text), *args)

    async def execute_text(self, text: str) -> None:
        """Run a statement that our own code has built (DDL); identifiers are quoted by then."""
        await self._run("execute", make_query("built", text), ())

    async def copy(self, table: str, columns: Sequence[str], rows: bytes | bytearray) -> None:
        """Add rows that are in the binary format of COPY already; `table` names its schema."""
        if self._connection is None:
            async with self.transaction() as bound:
                await bound.copy(table, columns, rows)
            return
        schema, _, name = table.rpartition(".")
        await _guarded(
            self._connection.copy_to_table(
                name,
                schema_name=schema or None,
                columns=columns,
                source=_pieces(rows),
                format="binary",
                timeout=self._timeout,
            ),
            in_doubt=False,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Database]:
        """All statements on the yielded Database together or not at all; nested: a savepoint."""
        if self._connection is not None:
            async with self._savepoint(self._connection):
                yield self
            return
        async with self._pool.connection() as connection:
            transaction = connection.transaction()
            await _guarded(transaction.start(), in_doubt=False)
            try:
                yield Database(self._pool, actor=self.actor, connection=connection)
            except BaseException:
                if not connection.is_closed():
                    await _guarded(transaction.rollback(), in_doubt=False)
                raise
            await _guarded(transaction.commit(), in_doubt=True)

    def outside(self) -> Database:
        """The same database outside of the caller's transaction, for work that outlives it."""
        return Database(self._pool, actor=self.actor)

    @property
    def in_transaction(self) -> bool:
        """Whether what is read here may be taken back: a transaction of the caller's is open."""
        return self._connection is not None

    @property
    def behind_pooler(self) -> bool:
        """Whether statements outside a transaction may reach different sessions."""
        return self._pool.behind_pooler

    @asynccontextmanager
    async def session(self, timeout: float) -> AsyncIterator[Database]:  # noqa: ASYNC109 - the driver keeps it
        """One connection of its own, for what PostgreSQL refuses inside a transaction.

        Each statement has `timeout` seconds in place of the pool's deadline.
        """
        async with self._pool.connection() as connection:
            session = Database(self._pool, actor=self.actor, connection=connection, timeout=timeout)
            await session.execute_text(f"SET statement_timeout = {round(timeout * 1000)}")
            try:
                yield session
            finally:
                if not connection.is_closed():
                    await session.execute_text("RESET statement_timeout")

    @asynccontextmanager
    async def _savepoint(self, connection: asyncpg.Connection) -> AsyncIterator[None]:
        savepoint = connection.transaction()
        await _guarded(savepoint.start(), in_doubt=False)
        try:
            yield
        except BaseException:
            if not connection.is_closed():
                await _guarded(savepoint.rollback(), in_doubt=False)
            raise
        await _guarded(savepoint.commit(), in_doubt=False)

    async def _run(self, method: str, query: Query, args: tuple[Any, ...]) -> Any:
        if self._connection is not None:
            return await self._bound(method, query, args)
        try:
            if self._pool.behind_pooler:
                return await self._pooled(method, query, args)
            async with self._pool.connection() as connection:
                return await getattr(connection, method)(query.text, *args)
        except DRIVER_ERRORS as error:
            if stale_plan(error):
                self._pool.expire()
            elif query.writes or not connection_lost(error) or isinstance(error, TimeoutError):
                raise translate(error, in_doubt=query.writes) from None
        # A read lost its connection, or a plan its schema: nothing happened, so once more.
        try:
            return await self._pooled(method, query, args)
        except DRIVER_ERRORS as error:
            raise translate(error, in_doubt=query.writes) from None

    async def _pooled(self, method: str, query: Query, args: tuple[Any, ...]) -> Any:
        async with self._pool.connection() as connection:
            if not self._pool.behind_pooler or (method == "execute" and not args):
                return await getattr(connection, method)(query.text, *args)
            # A pooler may hand each message to another server process; a transaction stays on one
            # (a statement without parameters is a single message anyway).
            async with connection.transaction():
                return await getattr(connection, method)(query.text, *args)

    async def _bound(self, method: str, query: Query, args: tuple[Any, ...]) -> Any:
        try:
            return await getattr(self._connection, method)(query.text, *args, timeout=self._timeout)
        except DRIVER_ERRORS as error:
            if stale_plan(error):
                self._pool.expire()
            raise translate(error, in_doubt=False) from None


async def _pieces(data: bytes | bytearray) -> AsyncIterator[memoryview]:
    view = memoryview(data)
    for at in range(0, len(view), PIECE):
        yield view[at : at + PIECE]


async def _guarded(step: Awaitable[None], *, in_doubt: bool) -> None:
    try:
        await step
    except DRIVER_ERRORS as error:
        raise translate(error, in_doubt=in_doubt) from None
