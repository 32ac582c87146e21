"""Faults that the tortures must catch, planted from outside the product.

`python -m tortures.planted NAME [WORDS…]` is `undercroft WORDS…` with that fault in it.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undercroft.db import queries

if TYPE_CHECKING:
    from tortures.scratch import Scratch


async def nothing(_scratch: Scratch) -> None:
    """Leave the server as it is."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is broken, and the scenario that must notice."""

    meaning: str
    scenario: str
    in_process: Callable[[], None] = lambda: None
    in_server: Callable[[Scratch], Awaitable[None]] = nothing


def _reword(name: str, *changes: tuple[str, str]) -> Callable[[], None]:
    """Change one named query as it is read."""
    original = queries.make_query

    def make_query(given: str, text: str, *, writes: bool = False) -> queries.Query:
        for old, new in changes if given == name else ():
            if old not in text:
                raise SystemExit(f"the fault does not fit {name} any more")
            text = text.replace(old, new)
        return original(given, text, writes=writes)

    def plant() -> None:
        read = [getattr(module, "SQL", None) for module in [*sys.modules.values()]]
        if any(name in vars(one) for one in read if isinstance(one, queries.Queries)):
            raise SystemExit(f"{name} has been read before the fault was planted")
        setattr(queries, "make_query", make_query)  # noqa: B010 - mypy minds the plain way

    return plant


def _ignore_keys() -> None:
    from undercroft.db import idempotency  # noqa: PLC0415 - patched, not used

    async def once(database: Any, _key: Any, work: Any) -> Any:
        async with database.transaction() as transaction:
            return await work(transaction)

    setattr(idempotency, "once", once)  # noqa: B010 - mypy minds the plain way


def _grant_every_slot() -> None:
    from undercroft.db.budget import Budget  # noqa: PLC0415 - patched, not used

    def take(self: Any, bidder: Any) -> bool:
        self.used += 1
        bidder.size += 1
        return True

    setattr(Budget, "take", take)  # noqa: B010 - mypy minds the plain way


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


def _lose_slots() -> None:
    from undercroft.db.pool import Pool  # noqa: PLC0415 - patched, not used

    async def end(_self: Any, connection: Any) -> None:
        await connection.close(timeout=2)

    setattr(Pool, "_end", end)  # noqa: B010 - mypy minds the plain way


def _open_for_each_caller() -> None:
    from undercroft.projects.directory import ProjectFinder  # noqa: PLC0415 - patched, not used

    async def opened(self: Any, name: str) -> Any:
        return await self._look_up(name)

    setattr(ProjectFinder, "_opened", opened)  # noqa: B010 - mypy minds the plain way


def _migrate_statement_by_statement() -> None:
    from undercroft.db.migrate.workplace import Workplace  # noqa: PLC0415 - patched, not used

    setattr(Workplace, "transaction", Workplace.session)  # noqa: B010 - mypy minds the plain way


def _admit_anybody() -> None:
    anybody = "$2::bigint IS NOT NULL"
    _reword("admit_batch", ("epoch = $2 AND lease_until IS NOT NULL AND NOT cancelled", anybody))()
    # Without this the renewal, a second later, mostly notices it before a batch is stored.
    _reword("renew_lease", ("epoch = $2 AND lease_until IS NOT NULL", anybody))()


def _finish_first() -> None:
    # Whoever has finished still holds the lease, or none of the batches would count.
    _reword("finish_run", ("lease_until = NULL, holder = '',", ""))()

    from undercroft.codebase.indexing.indexer import Indexer  # noqa: PLC0415 - patched, not used
    from undercroft.codebase.indexing.run import Run  # noqa: PLC0415 - patched, not used

    do, finish = Run.do, Indexer._finish  # noqa: SLF001 - a fault lies inside

    async def later(self: Any, _plan: Any) -> None:
        self.unsettled = 0

    async def first(self: Any, run: Any, found: Any, todo: Any, began: float) -> Any:
        report = await finish(self, run, found, todo, began)
        await do(run, todo)
        await run.lease.end(run.db, "completed", "")
        return report

    setattr(Run, "do", later)  # noqa: B010 - mypy minds the plain way
    setattr(Indexer, "_finish", first)  # noqa: B010 - mypy minds the plain way


def _follow_links() -> None:
    import os  # noqa: PLC0415 - for this fault alone
    import stat  # noqa: PLC0415 - as above

    from undercroft.codebase.walking import beneath  # noqa: PLC0415 - patched, not used
    from undercroft.codebase.walking.walker import Walker  # noqa: PLC0415 - patched, not used

    take = Walker._take  # noqa: SLF001 - a fault lies inside

    def take_target(self: Any, path: str, name: str, folder: Any, seen: Any) -> None:
        if stat.S_ISLNK(seen.st_mode) and (self._root / path).is_file():
            seen = (self._root / path).stat()
        take(self, path, name, folder, seen)

    for flags in ("_FILE", "_FOLDER"):
        setattr(beneath, flags, getattr(beneath, flags) & ~os.O_NOFOLLOW)
    setattr(Walker, "_take", take_target)  # noqa: B010 - mypy minds the plain way


def _store_private_keys() -> None:
    from undercroft.codebase.masking import masking  # noqa: PLC0415 - patched, not used

    setattr(masking, "_key_blocks", lambda _data: ())  # noqa: B010 - mypy minds the plain way


async def _commit_without_waiting(scratch: Scratch) -> None:
    async with scratch.asked() as admin:
        await admin.execute("ALTER SYSTEM SET synchronous_commit = off")
        await admin.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        await admin.execute("SELECT pg_reload_conf()")


def _probe_nothing() -> None:
    from undercroft.ports import choosing  # noqa: PLC0415 - patched, not used

    setattr(choosing, "is_free", lambda _port: True)  # noqa: B010 - mypy minds the plain way


LOOK = "AND (number OR get_bit(o.taken, port % 1024) = 0\n           AND EXISTS"


async def _take_ports_blindly(scratch: Scratch) -> None:
    async with scratch.asked("mcp_registry") as admin:
        text = await admin.fetchval("SELECT pg_get_functiondef('public.take_port'::regproc)")
        if LOOK not in text:
            raise SystemExit("the fault does not fit take_port any more")
        await admin.execute(text.replace(LOOK, "AND (number OR EXISTS"))
        await admin.execute(
            "ALTER TABLE public.port_allocations DROP CONSTRAINT port_allocations_pkey CASCADE"
        )
        await admin.execute("CREATE INDEX ON public.port_allocations (host, port)")


FENCE = "i.claim_epoch = {} AND i.claim_until > clock_timestamp()"


def _leave_out_the_fence() -> None:
    for name, place in (("finish_item", "$2"), ("update_item", "$4")):
        _reword(name, (FENCE.format(place), "true"))()


GRAPH = "UPDATE workflow.work_graph SET changes = changes + 1;"


async def _check_circles_without_lock(scratch: Scratch) -> None:
    async with scratch.asked("project_work") as admin:
        name = "workflow.follow_work_link"
        text = await admin.fetchval(f"SELECT pg_get_functiondef('{name}'::regproc)")
        if GRAPH not in text:
            raise SystemExit(f"the fault does not fit {name} any more")
        await admin.execute(text.replace(GRAPH, ""))


async def _write_no_history(scratch: Scratch) -> None:
    async with scratch.asked("project_crowd") as admin:
        await admin.execute("ALTER TABLE workflow.entities DISABLE TRIGGER record_history")


FAULTS: dict[str, Fault] = {
    "version": Fault(
        meaning="a stale version is accepted",
        scenario="one_record",
        in_process=_reword(
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
        in_process=_reword(
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
    "lease": Fault(
        meaning="a batch is stored without its lease",
        scenario="indexing",
        in_process=_admit_anybody,
    ),
    "finish": Fault(
        meaning="a run is finished before all is stored",
        scenario="indexing",
        in_process=_finish_first,
    ),
    "link": Fault(
        meaning="the walk follows links", scenario="hostile_trees", in_process=_follow_links
    ),
    "mask": Fault(
        meaning="private keys are not masked",
        scenario="secrets",
        in_process=_store_private_keys,
    ),
    "constraint": Fault(
        meaning="nothing keeps a port from being given twice",
        scenario="ports",
        in_server=_take_ports_blindly,
    ),
    "probe": Fault(
        meaning="what other programs have is not looked at",
        scenario="ports",
        in_process=_probe_nothing,
    ),
    "fence": Fault(
        meaning="who lost his claim may still write",
        scenario="work",
        in_process=_leave_out_the_fence,
    ),
    "skip": Fault(
        meaning="the best item is chosen without locking it",
        scenario="work",
        in_process=_reword("claim_best", ("FOR NO KEY UPDATE SKIP LOCKED", "")),
    ),
    "circle": Fault(
        meaning="circles are looked for without a lock",
        scenario="work",
        in_server=_check_circles_without_lock,
    ),
}


def main() -> None:
    """Run the command line with a fault in it."""
    FAULTS[sys.argv[1]].in_process()
    from undercroft.cli.main import run  # noqa: PLC0415 - after the fault is planted

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
