"""Migrations that go statement by statement, and go on where a killed runner stopped.

What PostgreSQL allows inside a transaction is done there together with its tick in the ledger:
exactly once. The rest (CREATE INDEX CONCURRENTLY above all) may have been done without its tick,
or half done; that is looked up in the catalog before it is run again.
"""

import re
from dataclasses import dataclass

from undercroft.db.migrate.failure import MigrationFailed
from undercroft.db.migrate.files import Migration, Script
from undercroft.db.migrate.ledger import SQL
from undercroft.db.migrate.patience import UNHURRIED
from undercroft.db.migrate.statements import Statement
from undercroft.db.migrate.workplace import Workplace, patiently, refuse_if_overtaken
from undercroft.db.queries import quote_literal
from undercroft.errors import InvalidInput

_MAXIMUM_BATCHES = 1_000_000
_PART = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_BUILT_INDEX = re.compile(
    r"create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"
    rf"(?P<name>{_PART})\s+on\s+(?:only\s+)?(?P<table>{_PART}(?:\s*\.\s*{_PART})?)",
    re.IGNORECASE,
)
_DROPPED_INDEX = ("drop", "index", "concurrently")
_UNDEFINED_OBJECT = "42704"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A migration is ours to go on with."""

    done: int
    """Statements that the ledger counts as done."""
    resumed: bool
    """Whether a runner before us may have begun the next one."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One statement of a migration, and its place in the ledger."""

    work: Workplace
    migration: Migration
    script: Script
    statement: Statement
    number: int
    resumed: bool

    async def run(self) -> int | None:
        """Run the statement; the number of rows it touched."""
        return await self.work.run(self.script, self.statement)

    async def tick(self) -> None:
        """Count the statement as done, inside the caller's transaction."""
        row = await self.work.connection.fetchval(
            SQL.record_step.text, *self._key, self.work.runner, self.number
        )
        refuse_if_overtaken(self.work, row)

    async def confirm(self) -> None:
        """Hold the ledger's row for the caller's transaction."""
        row = await self.work.connection.fetchval(
            SQL.confirm_runner.text, *self._key, self.work.runner
        )
        refuse_if_overtaken(self.work, row)

    @property
    def _key(self) -> tuple[str, int]:
        return self.work.line, self.migration.version


async def run_rest(work: Workplace, migration: Migration, script: Script, claim: Claim) -> None:
    """Run every statement after those that the ledger counts as done."""
    for number, statement in enumerate(script.statements[claim.done :], start=claim.done + 1):
        step = Step(
            work=work,
            migration=migration,
            script=script,
            statement=statement,
            number=number,
            resumed=claim.resumed and number == claim.done + 1,
        )
        if statement.needs_own_session:
            await _run_bare(step)
        elif script.header.batches:
            await _run_batches(step)
        else:
            await _run_once(step)


async def _run_once(step: Step) -> None:
    async def attempt() -> bool:
        async with step.work.transaction():
            await step.tick()
            await step.run()
        return True

    await patiently(step.work, attempt)


async def _run_batches(step: Step) -> None:
    """The same statement, each time in a short transaction, until it finds nothing more to do."""

    async def attempt() -> bool:
        async with step.work.transaction():
            await step.confirm()
            done = not await step.run()
            if done:
                await step.tick()
        return done

    for _ in range(_MAXIMUM_BATCHES):
        if await patiently(step.work, attempt):
            return
    raise InvalidInput(
        f"{step.script.name}:{step.statement.line}: still touches rows after "
        f"{_MAXIMUM_BATCHES:,} batches.",
        hint="Its WHERE must leave out the rows that are done already.",
    )


async def _run_bare(step: Step) -> None:
    async def attempt() -> bool:
        if await _index_stands(step):
            return True
        async with step.work.session():
            await step.run()
        return True

    try:
        await patiently(step.work, attempt)
    except MigrationFailed as failure:
        await _index_stands(step)
        if not (step.resumed and _is_gone(step.statement, failure)):
            raise
    async with step.work.transaction():
        await step.tick()


def _is_gone(statement: Statement, failure: MigrationFailed) -> bool:
    """Whether what a killed runner was to drop is dropped already."""
    return statement.words[:3] == _DROPPED_INDEX and failure.sqlstate == _UNDEFINED_OBJECT


async def _index_stands(step: Step) -> bool:
    """Whether a killed runner has finished this index; what it left half built is dropped."""
    match = _BUILT_INDEX.match(step.statement.text)
    if not match:
        return False
    if step.resumed:
        await _wait_for_builder(step, match["table"])
    async with step.work.transaction() as connection:
        found = await connection.fetchrow(
            SQL.find_index.text, match["table"], _folded(match["name"])
        )
    if found and not found["valid"]:
        async with step.work.session() as connection:
            drop = f"DROP INDEX CONCURRENTLY IF EXISTS {found['name']}"
            await connection.execute(drop, timeout=UNHURRIED)
    return bool(found and found["valid"] and step.resumed)


async def _wait_for_builder(step: Step, table: str) -> None:
    """Let a backend whose client was killed finish: it still holds the table against DDL."""
    async with step.work.transaction() as connection:
        if await connection.fetchval(SQL.table_exists.text, table):
            limit = f"{step.work.patience.concurrently:.0f}s"
            await connection.execute(f"SET LOCAL lock_timeout = {quote_literal(limit)}")
            lock = f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE"
            await connection.execute(lock, timeout=UNHURRIED)


def _folded(name: str) -> str:
    """An identifier as the catalog stores it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
