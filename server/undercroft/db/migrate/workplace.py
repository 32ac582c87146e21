"""Where statements of a migration run: connection, role, patience, and the claim on the ledger."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from undercroft.db.migrate.failure import RETRYABLE, MigrationFailed
from undercroft.db.migrate.files import Script
from undercroft.db.migrate.ledger import SQL
from undercroft.db.migrate.patience import UNHURRIED, Patience
from undercroft.db.migrate.statements import Statement, fill_in
from undercroft.errors import Conflict, Forbidden

_AFFECTED = re.compile(r"(?:INSERT \d+|UPDATE|DELETE|MERGE|SELECT|COPY) (\d+)$")


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """A connection, and as whom and how patiently statements run on it."""

    connection: asyncpg.Connection
    database: str
    line: str
    owner_role: str
    app: str
    """What `:app` stands for."""
    patience: Patience
    runner: UUID
    confirm: Callable[[], Awaitable[None]]
    """Raises when the runner's lock is lost."""
    behind_pooler: bool = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction under the owner's role, impatient for locks."""
        async with self.connection.transaction():
            await self.connection.fetch(
                SQL.set_transaction.text,
                self.owner_role or "none",
                _milliseconds(self.patience.lock_timeout),
            )
            yield self.connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        """The bare connection under the owner's role, for what no transaction can hold."""
        if self.behind_pooler:
            if self.owner_role:
                raise Forbidden(
                    f"A migration of {self.database} needs a session of its own, and a connection "
                    "pooler stands in between.",
                    hint="Run `undercroft migrate up` once with UNDERCROFT_DATABASE_URL naming "
                    "PostgreSQL itself.",
                )
            yield self.connection
            return
        await self.connection.fetch(
            SQL.set_session.text,
            self.owner_role or "none",
            _milliseconds(self.patience.concurrently),
        )
        try:
            yield self.connection
        finally:
            if not self.connection.is_closed():
                await self.connection.execute("RESET ALL")
                await self.connection.execute("RESET ROLE")

    async def run(self, script: Script, statement: Statement) -> int | None:
        """Run one statement; the number of rows it touched, None where it counts none."""
        text = fill_in(statement.text, self.app)
        try:
            tag = await self.connection.execute(text, timeout=UNHURRIED)
        except asyncpg.PostgresError as error:
            if (error.sqlstate or "").startswith(("08", "57P")):
                raise
            raise MigrationFailed(script, statement, error, self.database) from error
        match = _AFFECTED.match(tag)
        return int(match[1]) if match else None


async def patiently(work: Workplace, attempt: Callable[[], Awaitable[bool]]) -> bool:
    """Try until the locks are free, with pauses in which nobody queues behind us."""
    for tried in range(work.patience.attempts - 1):
        await work.confirm()
        try:
            return await attempt()
        except (MigrationFailed, asyncpg.PostgresError) as error:
            if error.sqlstate not in RETRYABLE:
                raise
        await work.patience.pause(tried)
    await work.confirm()
    return await attempt()


def refuse_if_overtaken(work: Workplace, row: object) -> None:
    """Stop when the ledger no longer names this runner.

    Raises:
        Conflict: Another runner has taken the migration over.

    """
    if row is None:
        raise Conflict(
            f"Another process has taken over the migration of {work.database}.",
            hint="Let that one finish; `undercroft migrate status` shows how far it is.",
        )


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
