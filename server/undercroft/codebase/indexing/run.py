"""One run over a repository: batches go out to the hands and what they make goes into the store."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from undercroft.codebase.indexing.batch import TABLES, Batch, Seen, Wanted
from undercroft.codebase.indexing.binary import Rows
from undercroft.codebase.indexing.hands import Crashed, Hand, Unready
from undercroft.codebase.indexing.lease import RENEWAL, Lease
from undercroft.codebase.indexing.planning import BATCH_FILES, Plan, batches
from undercroft.codebase.indexing.sql import SQL
from undercroft.codebase.indexing.store import Overtaken, store
from undercroft.errors import Unavailable
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database

log = structlog.get_logger("undercroft.codebase")

REMOVED_AT_ONCE = 5_000
"""Files that one transaction removes."""

STARTS = 5
"""Workers of a run that may die before they have begun."""

Files = list[Wanted]


@dataclass(kw_only=True)
class Run:
    """Holds a lease and does a plan."""

    db: Database
    lease: Lease
    root: Path
    model: int
    begin: Callable[[], Awaitable[Hand]]
    """Gets a new hand, at the start and for one that crashed."""
    hands: int
    progress: Progress = silent
    batch_files: int = BATCH_FILES

    stored_chunks: int = 0
    unsettled: int = 0
    """Files whose signature would not tell of a change that follows at once."""
    stages: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    _done: int = 0
    _total: int = 0
    _open: int = 0
    _later: Files = field(default_factory=list)
    _unready: int = 0
    _suspects: set[Wanted] = field(default_factory=set)
    _claims: dict[str, int] = field(default_factory=dict)

    async def do(self, plan: Plan) -> None:
        """Bring the store in line with the plan.

        Raises:
            LeaseLost: Somebody else goes on with it.
            Cancelled: Somebody wanted it to stop.

        """
        self._total = len(plan.changed)
        self._orders: asyncio.Queue[Files | None] = asyncio.Queue()
        self._made: asyncio.Queue[tuple[Files, Batch]] = asyncio.Queue(maxsize=1)
        try:
            async with asyncio.TaskGroup() as group:
                alive = group.create_task(self._stay_alive())
                if plan.changed:
                    await self._work(plan)
                # After what is new: a file that has moved finds its content still held.
                await self._remove(plan.removed)
                alive.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None

    async def _work(self, plan: Plan) -> None:
        for files in batches(plan.changed, self.batch_files):
            self._order(files)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.hands, self._open)):
                group.create_task(self._keep_busy())
            await self._keep_storing()

    def _order(self, files: Files) -> None:
        self._open += 1
        self._orders.put_nowait(files)

    async def _stay_alive(self) -> None:
        while True:
            await self.lease.renew(self.db, "indexing", self._done, self._total)
            await asyncio.sleep(RENEWAL)

    async def _remove(self, paths: Sequence[str]) -> None:
        for at in range(0, len(paths), REMOVED_AT_ONCE):
            async with self.db.transaction() as bound:
                some = paths[at : at + REMOVED_AT_ONCE]
                await bound.execute(SQL.delete_files, self.lease.repository, some)
                await self.lease.admit(bound, 0)

    async def _keep_busy(self) -> None:
        """One hand's life: an order, what comes of it, the next."""
        hand = await self.begin()
        try:
            while (files := await self._orders.get()) is not None:
                try:
                    batch = await self._made_of(hand, files)
                except Crashed as crash:
                    await hand.close()
                    hand = await self.begin()
                    batch = self._after_crash(files, crash)
                await self._made.put((files, batch))
        finally:
            await hand.close()

    async def _made_of(self, hand: Hand, files: Files) -> Batch:
        token = id(files)

        async def ask(digests: Collection[str]) -> set[str]:
            return await self._known(token, digests)

        return await hand.work(self.root, files, self.model, ask)

    async def _known(self, token: int, digests: Collection[str]) -> set[str]:
        """Contents that are stored, or that another batch of this run is making."""
        known = {row["hash"] for row in await self.db.fetch(SQL.find_hashes, list(digests))}
        for digest in digests:
            if digest not in known and self._claims.setdefault(digest, token) != token:
                known.add(digest)
        return known

    def _after_crash(self, files: Files, crash: Crashed) -> Batch:
        """Halves tell which file it was; that one is left out when it has done it twice."""
        self._forget_claims(files)
        if isinstance(crash, Unready):
            self._unready += 1
            if self._unready > STARTS:
                raise Unavailable("The processes that read files do not start.") from crash
            self._order(files)
        elif len(files) > 1:
            middle = len(files) // 2
            self._order(files[:middle])
            self._order(files[middle:])
        elif files[0] in self._suspects:
            log.warning("file_crashed_worker")
            return _nothing([Seen(*files[0], "", "crashed")])
        else:
            self._suspects.add(files[0])
            self._order(files)
        return _nothing(())

    def _forget_claims(self, files: Files) -> None:
        token = id(files)
        for digest in [digest for digest, owner in self._claims.items() if owner == token]:
            del self._claims[digest]

    async def _keep_storing(self) -> None:
        while self._open:
            files, batch = await self._made.get()
            await self._store(files, batch)
            self._open -= 1
            if not self._open and self._later:
                # What they waited for has been stored by now.
                again, self._later = self._later, []
                for some in batches(again, self.batch_files):
                    self._order(some)
        for _ in range(self.hands):
            self._orders.put_nowait(None)

    async def _store(self, files: Files, batch: Batch) -> None:
        for stage, seconds in batch.stages.items():
            self.stages[stage] += seconds
        if not batch.files:
            return
        began = time.perf_counter()
        try:
            missing = set(await store(self.db, self.lease, batch))
            self.stored_chunks += batch.chunks
        except Overtaken:
            missing = {file.path for file in files}
        self.stages["store"] += time.perf_counter() - began
        self._forget_claims(files)
        self._later += [file for file in files if file.path in missing]
        self.unsettled += sum(not file.mtime_ns for file in batch.files if file.path not in missing)
        self._done += len(files) - len(missing)
        await self.progress(self._done, self._total, "indexing")


def _nothing(files: Sequence[Seen]) -> Batch:
    empty = Rows(data=b"", starts=b"")
    rows = dict.fromkeys(TABLES, empty)
    return Batch(files=files, hashes=(), chunks=0, lengths=b"", total=0, rows=rows)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the rest followed from it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
