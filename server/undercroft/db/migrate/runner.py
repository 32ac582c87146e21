"""The migrator of one line: up, down, status, and the question asked at every start."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import KW_ONLY, dataclass, field
from uuid import uuid4

import asyncpg

from undercroft.db.migrate.failure import as_error
from undercroft.db.migrate.files import Line, Migration
from undercroft.db.migrate.ledger import (
    SQL,
    LineState,
    make_ledger,
    plan_down,
    plan_up,
    read_state,
    refuse_drift,
)
from undercroft.db.migrate.patience import Connect, Patience, confirm_lock, runner_lock
from undercroft.db.migrate.report import Outcome, Status
from undercroft.db.migrate.steps import skip, step_down, step_up
from undercroft.db.migrate.workplace import Workplace
from undercroft.db.queries import quote_ident
from undercroft.db.sqlstate import DRIVER_ERRORS
from undercroft.errors import Conflict, Forbidden

AppliedVersions = Callable[[str], Awaitable[Collection[int]]]
"""The versions that another line has applied, for `-- requires: registry/0003`."""


@dataclass(frozen=True)
class Migrator:
    """Moves databases along one line."""

    connect: Connect
    line: Line
    _: KW_ONLY
    owner_role: str = ""
    """The role that owns what migrations make; empty: the login itself."""
    app_role: str = ""
    """What `:app` stands for; empty: the login itself."""
    environment: str = "production"
    patience: Patience = field(default_factory=Patience)
    applied_elsewhere: AppliedVersions | None = None

    async def current(self, connection: asyncpg.Connection) -> LineState:
        """Where a database stands, in one statement."""
        return await read_state(connection, self.line.name)

    async def is_current(self, connection: asyncpg.Connection, database: str) -> bool:
        """Whether the database is at the code's version, in one statement.

        Raises:
            Conflict: It is newer than the code, or differs from the files.

        """
        state = await self.current(connection)
        refuse_drift(self.line, state, database)
        return not plan_up(self.line, state)

    async def up(self, database: str, *, to: int | None = None, dry_run: bool = False) -> Outcome:
        """Apply what is missing up to version `to` (None: the latest).

        Raises:
            Conflict: Drift, or a requirement that is not met.
            InvalidInput: `to` is no version ahead of the database.
            Unavailable: Locks or the connection; `MigrationFailed` names the place.

        """
        state = await self.look(database)
        plan = self._plan_up(state, database, to)
        if dry_run or not plan:
            return self._outcome(database, state, plan, dry_run=dry_run)
        await self._check_requirements(plan, state)
        async with self._translated(database), self._workplace(database) as work:
            state = await self._begin(work)
            plan = self._plan_up(state, database, to)
            done = [step for step in plan if await self._apply(work, step)]
        return self._outcome(database, state, tuple(done))

    async def down(
        self, database: str, *, to: int | None = None, dry_run: bool = False, force: bool = False
    ) -> Outcome:
        """Take back what lies above version `to` (None: the newest one).

        Raises:
            Conflict: Drift, or one of them is irreversible; nothing has been taken back then.
            Forbidden: In production without `force`: a way back loses data.
            InvalidInput: `to` is no version behind the database.
            Unavailable: Locks or the connection; `MigrationFailed` names the place.

        """
        state = await self.look(database)
        plan = self._plan_down(state, database, to)
        if dry_run or not plan:
            return self._outcome(database, state, plan, dry_run=dry_run, direction="down")
        if self.environment == "production" and not force:
            raise Forbidden(
                f"Taking migrations back loses data of {database}, and this is production.",
                hint="Back it up, then say so with `--yes`.",
            )
        async with self._translated(database), self._workplace(database) as work:
            state = await self._begin(work)
            plan = self._plan_down(state, database, to)
            done = [step for step in plan if await self._take_back(work, step, state)]
        return self._outcome(database, state, tuple(done), direction="down")

    async def status(self, database: str) -> Status:
        """Where the database stands, what is pending, and what is wrong; never refuses."""
        return Status.of(database, self.line, await self.look(database))

    async def look(self, database: str) -> LineState:
        """Where a database stands, read as the owner and right behind a pooler too."""
        async with (
            self._translated(database),
            self.connect(database) as connection,
            connection.transaction(),
        ):
            await connection.fetch(SQL.set_transaction.text, self.owner_role or "none", "0")
            if not await connection.fetchval(SQL.ledger_exists.text):
                return LineState(line=self.line.name)
            return await self.current(connection)

    def _plan_up(self, state: LineState, database: str, to: int | None) -> tuple[Migration, ...]:
        refuse_drift(self.line, state, database)
        if state.unfinished and state.unfinished.state == "reverting":
            target = state.unfinished.version - 1
            raise Conflict(
                f"{state.unfinished.label} is half taken back on {database}.",
                hint=f"Finish it with `undercroft migrate down --to {target}`.",
            )
        return plan_up(self.line, state, to)

    def _plan_down(self, state: LineState, database: str, to: int | None) -> tuple[Migration, ...]:
        refuse_drift(self.line, state, database)
        plan = plan_down(self.line, state, to)
        for step in plan:
            entry = state.find(step.version)
            reason = step.down.header.irreversible
            if reason and entry and entry.state != "skipped":
                raise Conflict(
                    f"{step.label} cannot be taken back: {reason}.",
                    hint="Restore a backup from before it, or write a new migration.",
                )
        return plan

    async def _check_requirements(self, plan: tuple[Migration, ...], state: LineState) -> None:
        skipped = {e.version for e in state.entries if e.state == "skipped"}
        skipped |= {m.version for m in plan if not m.up.header.runs_in(self.environment)}
        for step in plan:
            for need in step.up.header.requires if step.version not in skipped else ():
                name = need.line or self.line.name
                local = name == self.line.name
                met = need.version not in skipped if local else await self._has(name, need.version)
                if not met:
                    raise Conflict(
                        f"{step.label} requires {name}/{need.version:04}, which is not applied.",
                        hint=f"Run `undercroft migrate up --line {name}` first.",
                    )

    async def _has(self, line: str, version: int) -> bool:
        return self.applied_elsewhere is not None and version in await self.applied_elsewhere(line)

    async def _begin(self, work: Workplace) -> LineState:
        async with work.transaction() as connection:
            if not await connection.fetchval(SQL.ledger_exists.text):
                await make_ledger(connection, work.app)
            return await self.current(connection)

    async def _apply(self, work: Workplace, step: Migration) -> bool:
        if not step.up.header.runs_in(self.environment):
            await skip(work, step)
            return False
        return await step_up(work, step)

    async def _take_back(self, work: Workplace, step: Migration, state: LineState) -> bool:
        entry = state.find(step.version)
        return await step_down(work, step, skipped=entry is not None and entry.state == "skipped")

    @asynccontextmanager
    async def _workplace(self, database: str) -> AsyncIterator[Workplace]:
        async with (
            runner_lock(self.connect, database, self.patience) as holder,
            self.connect(database) as connection,
        ):
            # In a transaction, for a pooler may serve the next statement by another backend.
            async with connection.transaction():
                seen = await connection.fetchrow(SQL.describe_session.text)
            yield Workplace(
                connection=connection,
                database=database,
                line=self.line.name,
                owner_role=self.owner_role,
                app=quote_ident(self.app_role or seen["login"]),
                patience=self.patience,
                runner=uuid4(),
                confirm=lambda: confirm_lock(holder, database),
                behind_pooler=seen["pid"] != connection.get_server_pid(),
            )

    @asynccontextmanager
    async def _translated(self, database: str) -> AsyncIterator[None]:
        try:
            yield
        except DRIVER_ERRORS as error:
            raise as_error(error, database) from error

    def _outcome(
        self,
        database: str,
        before: LineState,
        steps: tuple[Migration, ...],
        *,
        dry_run: bool = False,
        direction: str = "up",
    ) -> Outcome:
        return Outcome(
            database=database,
            line=self.line.name,
            direction=direction,
            before=before.version,
            versions=tuple(step.version for step in steps),
            steps=tuple(step.label for step in steps),
            dry_run=dry_run,
        )
