"""Who starts the server, who stops it, and what a kill at any point leaves behind."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from undercroft.errors import Conflict

from .conftest import (
    SERVER,
    EmbeddedPostgres,
    Spawn,
    children_of,
    environment_of,
    open_files_of,
    parent_of,
    session,
    until,
    works,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


async def test_processes_that_make_it_at_the_same_instant_share_one_server(
    spawn: Spawn, place: Path
) -> None:
    users = [spawn(place / "home") for _ in range(4)]
    said = [user.said() for user in users]
    for user in users:
        user.leave()
    assert len({one["pid"] for one in said}) == 1
    assert not works(said[0]["pid"])


async def test_the_last_to_leave_stops_it_and_nobody_before(spawn: Spawn, home: Path) -> None:
    first, second = spawn(home), spawn(home)
    pid = first.said()["pid"]
    assert second.said()["pid"] == pid
    first.leave()
    assert works(pid)
    second.leave()
    assert not works(pid)


async def test_a_killed_user_counts_no_longer(spawn: Spawn, home: Path) -> None:
    killed, other = spawn(home), spawn(home)
    pid = killed.said()["pid"]
    other.said()
    killed.kill()
    assert works(pid)
    other.leave()
    assert not works(pid)


async def test_it_stops_by_itself_when_its_last_user_was_killed(spawn: Spawn, home: Path) -> None:
    user = spawn(home, interval=0.1)
    pid = user.said()["pid"]
    user.kill()
    until(lambda: not works(pid))


@linux
async def test_a_deserted_server_is_not_stopped_before_its_recovery_is_over(
    spawn: Spawn, home: Path
) -> None:
    user = spawn(home, interval=0.02)
    said = user.said()
    lock = Path(said["data"]) / "postmaster.pid"
    ready = lock.read_text()
    lock.write_text(ready.replace("ready   ", "starting"))
    user.kill()
    await asyncio.sleep(0.02 * 10)
    assert works(said["pid"])
    lock.write_text(ready)
    until(lambda: not works(said["pid"]))


async def test_it_runs_on_while_a_user_is_idle(spawn: Spawn, home: Path) -> None:
    user = spawn(home, interval=0.01)
    pid = user.said()["pid"]
    keeper_looks = 20
    await asyncio.sleep(0.01 * keeper_looks)
    assert works(pid)
    user.leave()


@linux
async def test_a_child_forked_by_a_user_does_not_count_as_one(spawn: Spawn, home: Path) -> None:
    user = spawn(home)
    pid = user.said()["pid"]
    user.tell("fork")
    child = user.said()["child"]
    user.kill()
    other = EmbeddedPostgres(home)
    await other.address()
    await other.close()
    assert works(child)
    assert not works(pid)
    os.kill(child, signal.SIGKILL)


async def test_a_killed_postmaster_is_started_anew_with_all_that_was_committed(home: Path) -> None:
    source = EmbeddedPostgres(home)
    address = await source.address()
    async with session(address) as connection:
        await connection.execute("create role somebody")
    pid = (await source.status()).pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    await source.recover()
    assert (await source.status()).pid != pid
    async with session(await source.address()) as connection:
        assert await connection.fetchval("select true from pg_roles where rolname = 'somebody'")
    await source.close()


async def test_recovering_at_once_from_many_calls_starts_one_server(home: Path) -> None:
    source, other = EmbeddedPostgres(home), EmbeddedPostgres(home)
    await source.address()
    await other.address()
    os.kill((await source.status()).pid or 0, signal.SIGKILL)
    await asyncio.gather(*(one.recover() for one in (source, other) for _ in range(5)))
    assert await source.address() == await other.address()
    async with session(await other.address()) as connection:
        assert await connection.fetchval("select 1") == 1
    await source.close()
    await other.close()


async def test_a_killed_backend_is_waited_for_until_recovery_is_over(home: Path) -> None:
    source = EmbeddedPostgres(home)
    address = await source.address()
    async with session(address) as connection:
        pid = await connection.fetchval("select pg_backend_pid()")
        os.kill(pid, signal.SIGKILL)
        # From this line on the postmaster refuses newcomers until its recovery is over.
        log = (await source.logs())[-1]
        until(lambda: "terminating any other active" in log.read_text())
        await source.recover()
        async with session(address) as after:
            assert await after.fetchval("select 1") == 1
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("select 1")
    await source.close()


@linux
async def test_everything_killed_at_once_leaves_a_home_that_starts(
    spawn: Spawn, home: Path
) -> None:
    user = spawn(home)
    pid = user.said()["pid"]
    for victim in (parent_of(pid), pid, *children_of(pid), user.process.pid):
        # The children of a dead postmaster may be quicker to leave than we are.
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    user.end()
    source = EmbeddedPostgres(home)
    async with session(await source.address()) as connection:
        assert await connection.fetchval("select 1") == 1
    await source.close()


@linux
async def test_init_killed_half_way_begins_anew(spawn: Spawn, place: Path) -> None:
    home = place / "home"
    user = spawn(home)
    until(lambda: list((home / "postgres").glob("*.partial-*/PG_VERSION")))
    user.kill()
    source = EmbeddedPostgres(home)
    async with session(await source.address(), "template1") as connection:
        assert await connection.fetchval("select true from pg_extension where extname = 'vector'")
    await source.close()
    # The initdb of the killed process may have written on for a moment.
    await source.address()
    assert not list((home / "postgres").glob("*.partial-*"))
    await source.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_signal_to_the_whole_terminal_does_not_reach_it(
    spawn: Spawn, home: Path, number: signal.Signals
) -> None:
    user = spawn(home)
    pid = user.said()["pid"]
    assert os.getsid(pid) == pid
    os.killpg(user.process.pid, number)
    user.end()
    assert works(pid)


async def test_a_reader_of_our_output_is_not_kept_waiting_by_the_server(home: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path; "
        "from undercroft.db.embedded import EmbeddedPostgres; "
        "asyncio.run(EmbeddedPostgres(Path(sys.argv[1])).keep())"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, str(home)],
        capture_output=True,
        check=True,
        timeout=20,
        env=os.environ | {"PYTHONPATH": SERVER},
    )
    assert done.returncode == 0
    assert (await EmbeddedPostgres(home).status()).running


@linux
async def test_the_server_inherits_neither_locks_nor_our_callers_keys(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "SEKRET")
    source = EmbeddedPostgres(home)
    await source.address()
    pid = (await source.status()).pid or 0
    keeper = parent_of(pid)
    for process in (pid, keeper):
        assert not [path for path in open_files_of(process) if path.endswith(".lock")]
    assert b"SEKRET" not in environment_of(pid)
    await source.close()
    until(lambda: not works(keeper))


async def test_a_kept_server_outlives_its_users_until_it_is_stopped(home: Path) -> None:
    source = EmbeddedPostgres(home, keeper_interval=0.01)
    await source.keep()
    pid = (await source.status()).pid or 0
    await source.address()
    await source.close()
    await asyncio.sleep(0.2)
    assert works(pid)
    assert (await source.status()).kept
    assert await source.stop()
    assert not works(pid)
    assert not await source.stop()


def test_a_server_whose_folder_is_gone_does_not_run_for_ever(home: Path) -> None:
    source = EmbeddedPostgres(home, keeper_interval=0.05)

    async def begin() -> int:
        await source.address()
        return (await source.status()).pid or 0

    pid = asyncio.run(begin())
    elsewhere = home.with_name(f"{home.name}-moved")
    home.rename(elsewhere)
    try:
        until(lambda: not works(pid))
    finally:
        elsewhere.rename(home)
        asyncio.run(source.close())


async def test_stop_names_those_who_use_it_and_obeys_only_force(spawn: Spawn, home: Path) -> None:
    user = spawn(home)
    pid = user.said()["pid"]
    source = EmbeddedPostgres(home)
    with pytest.raises(Conflict, match="in use by") as caught:
        await source.stop()
    if sys.platform == "linux":
        assert caught.value.data["users"] == [user.process.pid]
    assert works(pid)
    assert await source.stop(force=True)
    user.leave()


async def test_starting_does_not_hold_up_the_event_loop(home: Path) -> None:
    source = EmbeddedPostgres(home)
    starting = asyncio.create_task(source.address())
    ticks = 0
    while not starting.done():
        await asyncio.sleep(0.001)
        ticks += 1
    assert ticks > 10
    await source.close()


async def test_a_cancelled_start_neither_breaks_the_next_nor_leaves_a_server(home: Path) -> None:
    source = EmbeddedPostgres(home)
    starting = asyncio.create_task(source.address())
    await asyncio.sleep(0.02)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    async with session(await source.address()) as connection:
        assert await connection.fetchval("select 1") == 1
    pid = (await source.status()).pid or 0
    await source.close()
    assert not works(pid)


async def test_closing_again_or_before_use_does_nothing(home: Path) -> None:
    source = EmbeddedPostgres(home)
    await source.close()
    await source.address()
    await source.close()
    await source.close()
    assert not (await source.status()).running
