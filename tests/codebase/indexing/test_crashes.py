"""Killed, cancelled, overtaken, joined: the index is sound and the next run finishes it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from undercroft.app import open_app
from undercroft.codebase.indexing import hands
from undercroft.codebase.indexing import lease as leases
from undercroft.codebase.indexing.hands import Crashed, Worker
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.indexing.lease import Cancelled, Lease, LeaseLost
from undercroft.errors import Unavailable

if TYPE_CHECKING:
    from .conftest import Bench

WAIT = 60.0


class Gate:
    """Holds a run up as soon as it has stored a batch."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.told: list[float] = []

    async def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        self.told.append(done)
        self.reached.set()
        await self.opened.wait()


@asynccontextmanager
async def server(bench: Bench, **sizes: int) -> AsyncIterator[Indexer]:
    """An indexer of a server of its own."""
    async with open_app(bench.settings) as app:
        indexer = Indexer((await app.open(bench.project)).database, None, **sizes)
        yield indexer
        await indexer.end()


async def deaths(bench: Bench, root: Path, numbers: list[int]) -> list[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("victim.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    order = {
        "home": str(bench.settings.home),
        "database_url": bench.settings.database_url,
        "registry": bench.settings.registry_database,
        "project": bench.project,
        "root": str(root),
        "numbers": numbers,
    }
    said, _ = await process.communicate(json.dumps(order).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


async def test_killed_at_any_statement_nothing_is_lost_or_doubled(bench: Bench, tree: Path) -> None:
    """Each death goes on where the one before has stopped, until one lives to the end."""
    stored = 0
    for first in range(6, 60, 6):
        killed = await deaths(bench, tree, [first, first + 1, first + 2])
        await bench.sound()
        [row] = await bench.rows("SELECT count(*) FROM codebase.files")
        assert row[0] >= stored
        stored = row[0]
        found = await bench.indexer().list()
        if 0 in killed:
            break
        # A death after the run, while what it left is tidied, leaves a run that is completed.
        assert all(s.total_files == stored == 31 for s in found if s.status == "completed")
        assert all(s.interrupted for s in found if s.status == "in_progress")
        assert {s.status for s in found} <= {"pending", "in_progress", "completed"}
    assert killed[0] == signal.SIGKILL or stored == 31
    report = await bench.indexer().index(tree)
    assert report.files == 31
    await bench.indexer().settled()
    await bench.sound()
    status = await bench.indexer().status(report.repository)
    assert (status.status, status.interrupted) == ("completed", False)
    contents = await bench.rows("SELECT content FROM codebase.chunks ORDER BY content")
    assert len({row["content"] for row in contents}) == len(contents)


async def test_killed_while_it_is_made_anew_the_old_index_goes_first_or_stays(
    bench: Bench, tree: Path, rewrite
) -> None:
    await bench.indexer().index(tree)
    rewrite(tree, "spline", "curve")
    numbers = list(range(5, 105, 9))
    killed = await deaths(bench, tree, numbers)
    assert killed[0] == signal.SIGKILL
    await bench.sound()
    report = await bench.indexer().index(tree)
    await bench.indexer().settled()
    await bench.sound()
    assert report.files == 31
    assert not await bench.rows("SELECT FROM codebase.chunks WHERE content LIKE '%spline + %'")
    assert not await bench.rows(
        "SELECT FROM codebase.contents c WHERE NOT EXISTS"
        " (SELECT FROM codebase.files f WHERE f.content_id = c.id)"
    )


async def test_of_two_servers_one_works_and_the_other_tells_how_far(
    bench: Bench, tree: Path
) -> None:
    gate = Gate()
    seen: list[tuple[Any, ...]] = []
    async with server(bench, batch_files=5) as second:
        working = asyncio.create_task(bench.indexer(batch_files=5).index(tree, "", gate))
        await asyncio.wait_for(gate.reached.wait(), WAIT)
        told = asyncio.Event()

        async def watch(done: float, total: float | None = None, message: str = "") -> None:
            seen.append((done, total, message))
            if done:
                told.set()

        waiting = asyncio.create_task(second.index(tree, "", watch))
        # While the first stands still the second has seen how far it is, and waits.
        await asyncio.wait_for(told.wait(), WAIT)
        assert not waiting.done()
        assert seen[-1][0] >= 5
        assert seen[-1][1] == 31
        [status] = await second.list()
        assert (status.status, status.interrupted) == ("in_progress", False)
        gate.opened.set()
        one, two = await asyncio.wait_for(asyncio.gather(working, waiting), WAIT)
    assert one.stored_chunks == one.chunks == two.chunks
    assert two.stored_chunks == 0
    await bench.sound()


async def test_two_callers_of_one_server_share_a_run(bench: Bench, tree: Path) -> None:
    one, two = await asyncio.gather(bench.indexer().index(tree), bench.indexer().index(tree))
    assert one is two


async def test_two_worktrees_indexed_at_once_store_each_content_once(
    bench: Bench, tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(tree, tmp_path / "second")
    async with server(bench, batch_files=3) as other:
        first = bench.indexer(batch_files=3)
        one, two = await asyncio.gather(first.index(tree), other.index(tmp_path / "second"))
    assert one.files == two.files == 31
    assert one.stored_chunks + two.stored_chunks == one.chunks
    assert [row[0] for row in await bench.rows("SELECT count(*) FROM codebase.contents")] == [31]
    await bench.sound()


async def test_a_run_can_be_cancelled_and_goes_on_later(bench: Bench, tree: Path) -> None:
    gate = Gate()
    small = bench.indexer(batch_files=5)
    running = asyncio.create_task(small.index(tree, "", gate))
    await asyncio.wait_for(gate.reached.wait(), WAIT)
    [status] = await bench.indexer().list()
    assert await bench.indexer().cancel(status.id)
    gate.opened.set()
    with pytest.raises(Cancelled):
        await asyncio.wait_for(running, WAIT)
    status = await bench.indexer().status(status.id)
    assert (status.status, status.error) == ("pending", "The indexing was cancelled.")
    assert not await bench.indexer().cancel(status.id)
    [kept] = await bench.rows("SELECT count(*) FROM codebase.files")
    assert 0 < kept[0] < 31
    await bench.sound()
    report = await bench.indexer().index(tree)
    assert (report.files, report.changed) == (31, 31 - kept[0])


async def test_a_holder_who_was_taken_for_dead_stores_nothing_more(
    bench: Bench, tree: Path
) -> None:
    gate = Gate()
    running = asyncio.create_task(bench.indexer(batch_files=5).index(tree, "", gate))
    await asyncio.wait_for(gate.reached.wait(), WAIT)
    # Time passes: the lease runs out, somebody else takes it.
    await bench.db.execute_text("UPDATE codebase.repositories SET lease_until = now()")
    [row] = await bench.rows("SELECT * FROM codebase.repositories")
    lease = await Lease.take(bench.db, row)
    assert lease is not None
    assert lease.epoch == row["epoch"] + 1
    [before] = await bench.rows("SELECT count(*) FROM codebase.files")
    gate.opened.set()
    async with asyncio.timeout(WAIT):
        # It has noticed, and tells how far the other one is.
        while gate.told[-1]:
            await asyncio.sleep(0.01)
    await lease.renew(bench.db, "indexing", 7, 31)
    [after] = await bench.rows("SELECT count(*) FROM codebase.files")
    assert before == after
    await lease.end(bench.db, "pending", "")
    report = await asyncio.wait_for(running, WAIT)
    assert report.files == 31
    with pytest.raises(LeaseLost):
        await lease.renew(bench.db, "indexing", 7, 31)
    await bench.sound()


async def test_a_dead_holder_on_this_machine_is_known_at_once(bench: Bench, tree: Path) -> None:
    process = await asyncio.create_subprocess_exec("sleep", "100")
    began = leases._began(process.pid)
    machine = leases.myself().rsplit(" ", 2)[0]
    repository = (await bench.indexer().index(tree)).repository
    await bench.db.execute_text(
        "UPDATE codebase.repositories SET indexing_status = 'in_progress', epoch = 7, seen = NULL,"
        f" holder = '{machine} {process.pid} {began}', lease_until = now() + interval '1 hour'"
    )
    assert not (await bench.indexer().status(repository)).interrupted
    [row] = await bench.rows("SELECT * FROM codebase.repositories")
    assert await Lease.take(bench.db, row) is None
    process.kill()
    await process.wait()
    assert (await bench.indexer().status(repository)).interrupted
    report = await bench.indexer().index(tree)
    assert report.changed == 0
    assert not (await bench.indexer().status(repository)).interrupted


async def test_a_run_survives_the_death_of_its_workers(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    start = Worker.start

    async def noted() -> Worker:
        worker = await start()
        begun.append(worker.pid)
        if len(begun) <= 2:
            psutil.Process(worker.pid).kill()
        return worker

    monkeypatch.setattr(Worker, "start", noted)
    report = await bench.indexer(few_files=0, batch_files=10).index(tree)
    assert report.files == 31
    assert len(begun) > 2
    assert not any(psutil.pid_exists(pid) for pid in begun)
    await bench.sound()


async def test_a_file_that_kills_every_worker_is_left_out(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Worker.work

    async def fragile(self: Worker, root: Path, files: Any, *rest: Any) -> Any:
        if any(file.path.endswith("module_7.py") for file in files):
            await self.ready()
            psutil.Process(self.pid).kill()
        return await work(self, root, files, *rest)

    monkeypatch.setattr(Worker, "work", fragile)
    report = await bench.indexer(few_files=0, batch_files=10).index(tree)
    assert report.files == 30
    assert report.omitted == {"crashed": 1}
    await bench.sound()


async def test_processes_that_never_start_blame_no_file(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hands, "PROGRAM", tmp_path / "nowhere" / "a" / "b" / "c" / "worker.py")
    with pytest.raises(Unavailable):
        await bench.indexer(few_files=0).index(tree)
    [status] = await bench.indexer().list()
    assert (status.status, status.omitted) == ("failed", {})


async def test_a_worker_ends_with_its_server() -> None:
    program = (
        "import asyncio, os, sys\n"
        "from undercroft.codebase.indexing.hands import Worker\n"
        "async def main():\n"
        "    worker = await Worker.start()\n"
        "    print(worker.pid, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    said, _ = await process.communicate()
    async with asyncio.timeout(WAIT):
        while psutil.pid_exists(int(said)) and _alive(int(said)):
            await asyncio.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_worker_that_is_gone_is_told_as_crashed(tree: Path) -> None:
    worker = await Worker.start()
    psutil.Process(worker.pid).kill()
    with pytest.raises(Crashed):
        await worker.work(tree, [], 1, lambda _: pytest.fail("nobody asks"))
    await worker.close()


async def test_the_next_run_tidies_what_one_that_was_killed_has_left(
    bench: Bench, tree: Path, rewrite
) -> None:
    await bench.indexer().index(tree)
    await bench.indexer().settled()
    # As one leaves it that is killed when it has finished and not yet tidied.
    await bench.db.execute_text("DELETE FROM codebase.files WHERE path LIKE '%module_7.py'")
    (tree / "part1" / "module_7.py").unlink()
    async with server(bench) as other:
        report = await other.index(tree)
        assert (report.changed, report.removed) == (0, 0)
        await other.settled()
    assert not await bench.rows("SELECT FROM codebase.chunks WHERE content LIKE '%reticulate_7(%'")
    await bench.sound()


async def test_a_run_that_has_finished_is_not_ended_as_failed(bench: Bench, tree: Path) -> None:
    repository = (await bench.indexer().index(tree)).repository
    [row] = await bench.rows("SELECT * FROM codebase.repositories")
    lease = Lease(repository=repository, epoch=row["epoch"], rules="", generation=0)
    await lease.end(bench.db, "failed", "The connection broke.")
    assert (await bench.indexer().status(repository)).status == "completed"
