"""The index of a project's repositories: made, kept fresh, watched, stopped and removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from pydantic_core import to_json

from undercroft.codebase.indexing.hands import Hand, Thread, Worker
from undercroft.codebase.indexing.lease import Cancelled, Lease, LeaseLost
from undercroft.codebase.indexing.models import Freshness, RepositoryStatus, RunReport
from undercroft.codebase.indexing.planning import BATCH_FILES, Look, Plan, look, plan
from undercroft.codebase.indexing.reading import disk_path, stored_path
from undercroft.codebase.indexing.reports import omitted_by_reason, status_from
from undercroft.codebase.indexing.rules import RULES
from undercroft.codebase.indexing.run import Run
from undercroft.codebase.indexing.sql import SQL
from undercroft.codebase.indexing.workshop import Running, Workshop
from undercroft.errors import InvalidInput, NotFound, UndercroftError
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.codebase")

WORKERS = 2
"""Processes of a run."""

FEW_FILES = 64
FEW_BYTES = 1_000_000
"""Up to here this process does the work itself: starting another takes longer."""

POLL = 0.2
"""Seconds between two looks at what another process is doing."""


class Indexer:
    """Indexing for one project; the sizes are for tests."""

    def __init__(
        self, db: Database, *, few_files: int = FEW_FILES, batch_files: int = BATCH_FILES
    ) -> None:
        self._db = db
        self._shop = db.cached(Workshop)
        self._few_files = few_files
        self._batch_files = batch_files

    async def index(self, root: Path, name: str = "", progress: Progress = silent) -> RunReport:
        """Bring the index of a folder up to date; joins a run that is under way.

        The run goes on if the caller goes away.

        Raises:
            InvalidInput: The folder cannot be read.
            Cancelled: Somebody stopped it.

        """
        running = await self.start(root, name)
        running.watchers.append(progress)
        try:
            return await asyncio.shield(running.task)
        finally:
            running.watchers.remove(progress)

    async def start(self, root: Path, name: str = "") -> Running:
        """As `index`, in the background."""
        row = await self._add(root, name)
        return self._begin(row)

    def _begin(self, row: Mapping[str, Any]) -> Running:
        running = self._shop.runs.get(row["id"])
        if running is None or running.task.done():
            task = asyncio.get_running_loop().create_task(self._run(row["id"]))
            running = self._shop.runs[row["id"]] = Running(task=task)
            task.add_done_callback(lambda _: self._shop.runs.pop(row["id"], None))
            task.add_done_callback(_note)
        return running

    async def _add(self, root: Path, name: str) -> Mapping[str, Any]:
        resolved = await asyncio.to_thread(_folder, root)
        path = stored_path(str(resolved))
        await self._db.execute(SQL.add_repository, path, name or stored_path(resolved.name) or path)
        if name:
            await self._db.execute(SQL.name_repository, path, name)
        return await self._row(None, path)

    async def _run(self, repository: UUID) -> RunReport:
        while True:
            row = await self._row(repository)
            lease = await Lease.take(self._db, row)
            if lease is not None:
                with suppress(LeaseLost):
                    return await self._work(lease, row)
                continue
            await self._tell(repository, row["run_done"], row["run_total"] or None, row["stage"])
            await asyncio.sleep(POLL)

    async def _work(
        self, lease: Lease, row: Mapping[str, Any], known: tuple[Look, Plan] | None = None
    ) -> RunReport:
        """All that a lease is for; it is given back, whatever happens."""
        began = time.monotonic()
        root = Path(disk_path(row["repo_path"]))
        try:
            found, todo = known or await self._survey(lease, root)
            run = await self._new_run(lease, root, todo)
            run.stages["survey"] = time.monotonic() - began
            await run.do(todo)
            return await self._finish(run, found, todo, began)
        except LeaseLost:
            raise
        except UndercroftError as error:
            stopped = isinstance(error, Cancelled)
            await lease.end(self._db, "pending" if stopped else "failed", error.message)
            raise
        except asyncio.CancelledError:
            with suppress(Exception):
                await lease.end(self._db, "pending", "The server ended before it was done.")
            raise
        except Exception:
            await lease.end(self._db, "failed", "A defect of the server; its log has the details.")
            raise

    async def _survey(self, lease: Lease, root: Path) -> tuple[Look, Plan]:
        found = await asyncio.to_thread(look, root)
        return found, await plan(self._db, lease.repository, found, lease.rules)

    def _few(self, todo: Plan) -> bool:
        return len(todo.changed) <= self._few_files and todo.size <= FEW_BYTES

    async def _new_run(self, lease: Lease, root: Path, todo: Plan) -> Run:
        few = self._few(todo)
        return Run(
            db=self._db,
            lease=lease,
            root=root,
            model=await self._shop.model(self._db) if todo.changed else 0,
            begin=self._thread if few else Worker.start,
            hands=1 if few else WORKERS,
            progress=lambda *told: self._tell(lease.repository, *told),
            batch_files=self._batch_files,
        )

    async def _thread(self) -> Hand:
        return Thread(self._shop.labor)

    async def _tell(
        self, repository: UUID, done: float, total: float | None = None, message: str = ""
    ) -> None:
        if running := self._shop.runs.get(repository):
            await running.tell(done, total, message)

    async def _finish(self, run: Run, found: Look, todo: Plan, began: float) -> RunReport:
        repository = run.lease.repository
        async with self._db.transaction() as db:
            totals = await db.fetch_row(SQL.count_files, repository)
            assert totals is not None  # noqa: S101 - an aggregate has a row
            omitted = omitted_by_reason(found, await db.fetch(SQL.count_omitted, repository))
            done = await db.fetch_value(
                SQL.finish_run,
                *(repository, run.lease.epoch, totals["files"], totals["chunks"], RULES),
                *(None if run.unsettled else found.digest, to_json(omitted).decode()),
                *(found.walk.by_git, found.walk.truncated),
            )
        if done is None:
            raise LeaseLost
        if todo.removed or todo.changed or not self._shop.tidied:
            self._shop.tidy(self._db)
        return RunReport(
            repository=repository,
            files=totals["files"],
            chunks=totals["chunks"],
            changed=len(todo.changed),
            removed=len(todo.removed),
            omitted={reason: of["count"] for reason, of in omitted.items()},
            stored_chunks=run.stored_chunks,
            seconds=time.monotonic() - began,
            stages=dict(run.stages),
        )

    async def refresh(self, repository: UUID, budget_seconds: float) -> Freshness:
        """Bring a repository's index up to date with the disk, as far as the time allows.

        What is left over goes on in the background.

        Raises:
            NotFound: There is no such repository.

        """
        began = time.monotonic()
        deadline = began + budget_seconds
        row = await self._row(repository)
        root = Path(disk_path(row["repo_path"]))
        try:
            found = await asyncio.wait_for(self._shop.look(repository, root), budget_seconds)
        except TimeoutError:
            return Freshness(changed=0, removed=0, complete=False, seconds=budget_seconds)
        if row["seen"] == found.digest and row["rules"] == RULES:
            seconds = time.monotonic() - began
            return Freshness(changed=0, removed=0, complete=True, seconds=seconds)
        todo = await plan(self._db, repository, found, row["rules"])
        complete = await self._catch_up(row, found, todo, deadline)
        return Freshness(
            changed=len(todo.changed),
            removed=len(todo.removed),
            complete=complete,
            seconds=time.monotonic() - began,
        )

    async def _catch_up(
        self, row: Mapping[str, Any], found: Look, todo: Plan, deadline: float
    ) -> bool:
        """Do a small plan at once; for another wait while there is time."""
        lease = await Lease.take(self._db, row) if self._few(todo) else None
        if lease is not None:
            current = lease.generation == row["generation"]
            with suppress(LeaseLost):
                await self._work(lease, row, (found, todo) if current else None)
                return True
        running = self._begin(row)
        left = max(deadline - time.monotonic(), 0.0)
        done, _ = await asyncio.wait({running.task}, timeout=left)
        return bool(done) and running.task.exception() is None

    async def status(self, repository: UUID) -> RepositoryStatus:
        """Where the index of a repository stands.

        Raises:
            NotFound: There is no such repository.

        """
        return status_from(await self._row(repository))

    async def find(self, root: Path) -> RepositoryStatus | None:
        """The repository of that folder."""
        path = stored_path(str(await asyncio.to_thread(Path(root).resolve)))
        row = await self._db.fetch_row(SQL.get_repository, None, path)
        return status_from(row) if row else None

    async def list(self) -> list[RepositoryStatus]:
        """All repositories by name."""
        return [status_from(row) for row in await self._db.fetch(SQL.list_repositories)]

    async def cancel(self, repository: UUID) -> bool:
        """Stop whoever is indexing a repository; whether anybody was. What is stored stays."""
        await self._row(repository)
        return bool(await self._db.execute(SQL.request_cancel, repository))

    async def remove(self, repository: UUID) -> bool:
        """Forget a repository; whether there was one. What no other one holds is deleted."""
        if running := self._shop.runs.get(repository):
            running.task.cancel()
        removed = bool(await self._db.execute(SQL.delete_repository, repository))
        self._shop.tidy(self._db)
        return removed

    async def settled(self) -> None:
        """Wait until nothing goes on in the background."""
        await self._shop.settled()

    async def end(self) -> None:
        """Stop what goes on in the background; the next run goes on with it."""
        await self._shop.end()

    async def _row(self, repository: UUID | None, path: str | None = None) -> Mapping[str, Any]:
        row = await self._db.fetch_row(SQL.get_repository, repository, path)
        if row is None:
            raise NotFound("There is no such repository.", hint="See list_repositories.")
        return dict(row)


def _folder(root: Path) -> Path:
    resolved = Path(root).resolve()
    if not resolved.is_dir():
        raise InvalidInput("There is no such folder.", hint="Give the path of an existing folder.")
    return resolved


def _note(task: asyncio.Task[RunReport]) -> None:
    if not task.cancelled() and (error := task.exception()):
        known = isinstance(error, UndercroftError)
        log.warning(
            "indexing_failed", error=type(error).__name__, exc_info=None if known else error
        )
