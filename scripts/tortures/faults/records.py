"""Faults of what all rooms stand on: records, retries, pools, projects, migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tortures.faults import Fault, reword

if TYPE_CHECKING:
    from tortures.scratch import Scratch


def _ignore_keys() -> None:
    from undercroft.db import idempotency  # noqa: PLC0415 - patched, not used

    async def once(database: Any, _key: Any, work: Any) -> Any:
        async with database.transaction() as transaction:
            return await work(transaction)

    setattr(idempotency, "once", once)  # noqa: B010 - mypy minds the plain way


async def _commit_without_waiting(scratch: Scratch) -> None:
    async with scratch.asked() as admin:
        await admin.execute("ALTER SYSTEM SET synchronous_commit = off")
        await admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await admin.execute("SELECT pg_reload_conf()")


async def _write_no_history(scratch: Scratch) -> None:
    async with scratch.asked("project_crowd") as admin:
        await admin.execute("ALTER TABLE workflow.entities DISABLE TRIGGER record_history")


def _grant_every_slot() -> None:
    from undercroft.db.budget import Budget  # noqa: PLC0415 - patched, not used

    def take(self: Any, bidder: Any) -> bool:
        self.used += 1
        bidder.size += 1
        return True

    setattr(Budget, "take", take)  # noqa: B010 - mypy minds the plain way


def _open_for_each_caller() -> None:
    from undercroft.projects.directory import ProjectFinder  # noqa: PLC0415 - patched, not used

    async def opened(self: Any, name: str) -> Any:
        return await self._look_up(name)

    setattr(ProjectFinder, "_opened", opened)  # noqa: B010 - mypy minds the plain way


def _migrate_statement_by_statement() -> None:
    from undercroft.db.migrate.workplace import Workplace  # noqa: PLC0415 - patched, not used

    setattr(Workplace, "transaction", Workplace.session)  # noqa: B010 - mypy minds the plain way


def _lose_slots() -> None:
    from undercroft.db.pool import Pool  # noqa: PLC0415 - patched, not used

    async def end(_self: Any, connection: Any) -> None:
        await connection.close(timeout=2)

    setattr(Pool, "_end", end)  # noqa: B010 - mypy minds the plain way


def _keep_spoiled_sessions() -> None:
    from undercroft.db import database, pool  # noqa: PLC0415 - patched, not used

    original = pool.Pool._release  # noqa: SLF001 - a fault lies inside

    def release(self: Any, held: Any) -> None:
        if held.connection.is_in_transaction() and not self._closing:
            self._keep(held)
        else:
            original(self, held)

    async def guarded(step: Any, *, in_doubt: bool) -> None:
        if "rollback" in getattr(step, "__qualname__", ""):
            step.close()
        else:
            await plain(step, in_doubt=in_doubt)

    plain = database._guarded  # noqa: SLF001 - a fault lies inside
    setattr(pool.Pool, "_release", release)  # noqa: B010 - mypy minds the plain way
    setattr(pool, "_spoils", lambda _error: False)  # noqa: B010 - mypy minds the plain way
    setattr(database, "_guarded", guarded)  # noqa: B010 - mypy minds the plain way


FAULTS = {
    "version": Fault(
        meaning="a stale version is accepted",
        scenario="one_record",
        in_process=reword(
            "update_entity",
            ("e.version = $2", "e.version >= $2"),
            ("e.updated_at = $7", "e.updated_at >= $7"),
        ),
    ),
    "key": Fault(
        meaning="idempotency keys are ignored", scenario="crashes", in_process=_ignore_keys
    ),
    "commit": Fault(
        meaning="a write is acknowledged before it is on disk",
        scenario="crashes",
        in_server=_commit_without_waiting,
    ),
    "history": Fault(
        meaning="changes leave no history", scenario="crashes", in_server=_write_no_history
    ),
    "lock": Fault(
        meaning="no lock is taken on a project's database",
        scenario="projects",
        in_process=reword(
            "lock_project",
            (
                "pg_try_advisory_xact_lock(hashtextextended('undercroft.project.' || $1, 0))",
                "$1::text IS NOT NULL",
            ),
        ),
    ),
    "budget": Fault(
        meaning="connections are opened beyond the budget",
        scenario="many_projects",
        in_process=_grant_every_slot,
    ),
    "flight": Fault(
        meaning="each caller opens the project for itself",
        scenario="many_projects",
        in_process=_open_for_each_caller,
    ),
    "whole": Fault(
        meaning="a migration commits each statement by itself",
        scenario="migrations",
        in_process=_migrate_statement_by_statement,
    ),
    "slot": Fault(
        meaning="a session that ends keeps its slot",
        scenario="cancellations",
        in_process=_lose_slots,
    ),
    "session": Fault(
        meaning="a session that was cut off is used again",
        scenario="cancellations",
        in_process=_keep_spoiled_sessions,
    ),
}
"""By name."""
