"""The ledger of a database: what it holds, and what that means beside the files."""

from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Literal
from uuid import UUID

import asyncpg

from undercroft.db.migrate.files import Line, Migration
from undercroft.db.migrate.statements import fill_in, split
from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput

SQL = load_queries(__package__)
_UNFINISHED = frozenset({"running", "reverting"})

State = Literal["running", "reverting", "applied", "skipped"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One migration as the database remembers it."""

    version: int
    name: str
    checksum: str
    state: State
    statements_done: int
    runner: UUID
    applied_at: datetime
    applied_by: str
    duration_ms: int

    @property
    def label(self) -> str:
        """Its name with the number, for people."""
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True, kw_only=True)
class LineState:
    """Where a database stands on a line."""

    line: str
    entries: tuple[Entry, ...] = ()

    @property
    def version(self) -> int:
        """The highest version that is finished, 0 for none."""
        return max((e.version for e in self.entries if e.state not in _UNFINISHED), default=0)

    @property
    def unfinished(self) -> Entry | None:
        """A migration that was interrupted between two statements."""
        return next((e for e in self.entries if e.state in _UNFINISHED), None)

    def find(self, version: int) -> Entry | None:
        """The entry of that version."""
        return next((e for e in self.entries if e.version == version), None)


async def read_state(connection: asyncpg.Connection, line: str) -> LineState:
    """Where this database stands, in one statement; no ledger yet means version 0."""
    try:
        rows = await connection.fetch(SQL.list_entries.text, line)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        rows = []
    return LineState(line=line, entries=tuple(Entry(**dict(row)) for row in rows))


async def make_ledger(connection: asyncpg.Connection, app: str) -> None:
    """Make the ledger; inside a transaction, under the role that shall own it."""
    text = files(__package__).joinpath("ledger.sql").read_text("utf-8")
    for statement in split(text, "ledger.sql"):
        await connection.execute(fill_in(statement.text, app))


def find_drift(line: Line, state: LineState) -> list[str]:
    """Every way in which the ledger contradicts the files, a sentence each."""
    known = [e for e in state.entries if e.version <= line.latest]
    changed = [
        f"{e.label} was changed after it had been applied"
        for e in known
        if e.state == "applied" and e.checksum != line.at(e.version).checksum
    ]
    versions = {e.version for e in state.entries}
    holes = [
        f"{line.at(v).label} was never applied, but later ones were"
        for v in range(1, min(max(versions, default=0), line.latest))
        if v not in versions
    ]
    return changed + holes


def refuse_drift(line: Line, state: LineState, database: str) -> None:
    """Refuse a database that is newer than the files or contradicts them.

    Raises:
        Conflict: With what to do about it.

    """
    newest = max((e.version for e in state.entries), default=0)
    if newest > line.latest:
        raise Conflict(
            f"The database {database} is newer than this Undercroft: its {line.name} line stands "
            f"at {newest:04}, the code knows it up to {line.latest:04}.",
            hint="Start the Undercroft that made it, or a later one. To go back, let that one run "
            f"`undercroft migrate down --line {line.name} --to {line.latest}` first.",
            data={"database": newest, "code": line.latest},
        )
    if drift := find_drift(line, state):
        raise Conflict(
            f"The migrations of {database} differ from the files: {'; '.join(drift)}.",
            hint="Put the files back as they were released (a change belongs into a new "
            "migration); `undercroft migrate verify` shows how the database differs.",
            data={"drift": drift},
        )


def plan_up(line: Line, state: LineState, to: int | None = None) -> tuple[Migration, ...]:
    """The migrations that lead up to version `to` (None: the latest).

    Raises:
        InvalidInput: `to` is no version of the line, or lies behind the database.

    """
    target = line.latest if to is None else to
    _check_target(line, target)
    if target < state.version:
        raise InvalidInput(
            f"The database stands at {state.version:04} already.",
            hint=f"To go back to {target:04} use `undercroft migrate down --to {target}`.",
        )
    done = {e.version for e in state.entries if e.state not in _UNFINISHED}
    return tuple(m for m in line.migrations[:target] if m.version not in done)


def plan_down(line: Line, state: LineState, to: int | None = None) -> tuple[Migration, ...]:
    """The migrations to take back, newest first, down to version `to` (None: one step).

    Raises:
        InvalidInput: `to` is no version of the line, or lies ahead of the database.

    """
    newest = max((e.version for e in state.entries), default=0)
    target = max(newest - 1, 0) if to is None else to
    _check_target(line, target)
    if target > newest:
        raise InvalidInput(
            f"The database stands at {newest:04}, below {target:04}.",
            hint="Use `undercroft migrate up`.",
        )
    return tuple(line.at(v) for v in range(newest, target, -1) if state.find(v))


def _check_target(line: Line, target: int) -> None:
    if not 0 <= target <= line.latest:
        raise InvalidInput(
            f"The line {line.name} has no version {target}.",
            hint=f"Choose one from 0 to {line.latest}.",
        )


def describe(entry: Entry) -> dict[str, Any]:
    """An entry as JSON values."""
    return {
        "version": entry.version,
        "name": entry.name,
        "state": entry.state,
        "applied_at": entry.applied_at.isoformat(),
        "applied_by": entry.applied_by,
        "duration_ms": entry.duration_ms,
    }
