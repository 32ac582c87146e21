"""What earlier lives, other programs and bad folders leave in the way of a start."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from undercroft.db.embedded.account import account_for
from undercroft.errors import InvalidInput, Unavailable

from .conftest import EmbeddedPostgres, children_of, parent_of, session, talking, until, works

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

LOCK_FILE = "{pid}\n{data}\n1700000000\n5432\n{socket}\n\n  5432001         9\n{status}\n"
# Stands for a server at a long recovery: alive in the data, listening, not ready.
RECOVERING = """
import os, socket, sys
from pathlib import Path
from typing import Any
os.chdir(sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2] + "/.s.PGSQL.5432")
listener.listen()
Path("postmaster.pid").write_text(sys.argv[3].format(
    pid=os.getpid(), data=sys.argv[1], socket=sys.argv[2], status="starting"))
print("listening", flush=True)
sys.stdin.read()
"""


def write_lock_file(home: Path, pid: int, status: str = "ready") -> Path:
    data = home / "postgres" / "18"
    run = home / "postgres" / "run"
    lock = data / "postmaster.pid"
    lock.write_text(LOCK_FILE.format(pid=pid, data=data, socket=run, status=status))
    (run / ".s.PGSQL.5432.lock").write_text(lock.read_text())
    owner = data.stat()
    for path in (lock, run / ".s.PGSQL.5432.lock"):
        os.chown(path, owner.st_uid, owner.st_gid)
    return lock


def as_server_user(home: Path, command: list[str], **options: Any) -> subprocess.Popen[str]:
    account = account_for(home, [home / "postgres" / "18"])
    popen = account.popen if account else {}
    return subprocess.Popen(command, text=True, **popen, **options)


async def starts(home: Path) -> bool:
    source = EmbeddedPostgres(home)
    async with session(await source.address()) as connection:
        answer = await connection.fetchval("select 1")
    await source.close()
    return bool(answer == 1)


async def test_a_lock_file_whose_number_now_is_another_program_is_cleared(home: Path) -> None:
    with as_server_user(home, ["sleep", "60"]) as other:
        write_lock_file(home, other.pid)
        assert await starts(home)
        assert other.poll() is None
        other.kill()


@linux
async def test_a_zombie_postmaster_that_nobody_reaps_is_not_waited_for(home: Path) -> None:
    with as_server_user(home, ["true"]) as zombie:
        until(lambda: Path(f"/proc/{zombie.pid}/stat").read_text().count(") Z "))
        write_lock_file(home, zombie.pid)
        assert await starts(home)


@pytest.mark.parametrize("content", ["", "nonsense", "999999999\n/nowhere\n"])
async def test_a_torn_lock_file_is_cleared(home: Path, content: str) -> None:
    write_lock_file(home, 1).write_text(content)
    assert await starts(home)


@linux
async def test_processes_of_a_dead_postmaster_are_waited_for(home: Path) -> None:
    source = EmbeddedPostgres(home)
    address = await source.address()
    status = await source.status()
    pid = status.pid or 0
    async with session(address) as connection:
        backend = await connection.fetchval("select pg_backend_pid()")
        # A stopped process cannot notice the death of its postmaster.
        os.kill(backend, 19)
        os.kill(pid, 9)
        until(lambda: not works(pid))
        recovering = asyncio.create_task(source.recover())
        await asyncio.sleep(0.3)
        done, lock = recovering.done(), (home / "postgres" / "18" / "postmaster.pid").read_text()
        os.kill(backend, 18)
        assert not done
        assert lock.startswith(f"{pid}\n")
        await recovering
        connection.terminate()
    await source.close()


async def test_a_server_at_its_recovery_is_waited_for_and_never_killed(home: Path) -> None:
    data, run = home / "postgres" / "18", home / "postgres" / "run"
    command = [sys.executable, "-c", RECOVERING, str(data), str(run), LOCK_FILE]
    # Not as the server's user, who may be unable to come to our interpreter.
    with talking(command) as server:
        assert server.stdout
        assert server.stdout.readline() == "listening\n"
        source = EmbeddedPostgres(home, start_patience=0.3)
        with pytest.raises(Unavailable, match="still starting or recovering") as caught:
            await source.address()
        await source.close()
        assert caught.value.retryable
        assert server.poll() is None
        assert server.stdin
        server.stdin.close()
        server.wait()
    assert await starts(home)


async def test_remains_of_an_unfinished_init_are_removed(place: Path) -> None:
    partial = place / "home" / "postgres" / "18.partial-0badcafe"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    (place / "home").chmod(0o755)
    assert await starts(place / "home")
    assert not partial.exists()


async def test_an_empty_data_folder_counts_as_none(place: Path) -> None:
    (place / "home" / "postgres" / "18").mkdir(parents=True)
    assert await starts(place / "home")


async def test_data_of_another_major_version_is_refused_and_left_alone(place: Path) -> None:
    old = place / "home" / "postgres" / "17"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("17\n")
    with pytest.raises(InvalidInput, match=r"of PostgreSQL 17, and the programs are 18"):
        await EmbeddedPostgres(place / "home").address()
    assert sorted(path.name for path in old.parent.glob("[0-9]*")) == ["17"]


async def test_a_folder_that_holds_something_else_is_refused(place: Path) -> None:
    data = place / "home" / "postgres" / "18"
    data.mkdir(parents=True)
    (data / "letter.txt").write_text("mine")
    with pytest.raises(InvalidInput, match="holds something else"):
        await EmbeddedPostgres(place / "home").address()
    assert (data / "letter.txt").read_text() == "mine"


async def test_a_link_to_data_that_has_gone_is_no_reason_to_begin_anew(place: Path) -> None:
    folder = place / "home" / "postgres"
    folder.mkdir(parents=True)
    (folder / "18").symlink_to(place / "unmounted" / "18")
    with pytest.raises(Unavailable, match="has gone"):
        await EmbeddedPostgres(place / "home").address()
    assert not (place / "unmounted").exists()


async def test_a_folder_that_cannot_be_written_is_named_as_the_reason(place: Path) -> None:
    # Modes do not bind root; the kernel's own folder binds everybody.
    locked = place / "locked"
    locked.mkdir(mode=0o500)
    home = Path("/sys/kernel/undercroft") if os.geteuid() == 0 else locked / "home"
    with pytest.raises(InvalidInput, match="cannot be written") as caught:
        await EmbeddedPostgres(home).address()
    assert str(home) not in str(caught.value.as_dict())


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="undercroft-test-"))
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,mode=0755", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


@root
@linux
async def test_a_full_disk_is_named_as_the_reason_and_nothing_half_made_stays(
    small_disk: Path,
) -> None:
    source = EmbeddedPostgres(small_disk / "home")
    with pytest.raises(Unavailable, match="disk is full"):
        await source.address()
    await source.close()
    assert not list((small_disk / "home" / "postgres").glob("18*"))


async def test_a_server_that_cannot_start_is_an_error_at_once_with_the_reason_in_the_log(
    home: Path,
) -> None:
    conf = home / "postgres" / "18" / "postgresql.auto.conf"
    before = conf.read_text()
    conf.write_text(before + "shared_buffers = 'nonsense'\n")
    source = EmbeddedPostgres(home)
    with pytest.raises(Unavailable, match="could not be started") as caught:
        await asyncio.wait_for(source.address(), 15)
    conf.write_text(before)
    assert str(home) not in str(caught.value.as_dict())
    assert "shared_buffers" in (home / "postgres" / "start.log").read_text()
    await source.close()
    assert await starts(home)


@linux
async def test_a_postmaster_killed_while_it_starts_is_started_again(home: Path) -> None:
    source = EmbeddedPostgres(home)
    lock = home / "postgres" / "18" / "postmaster.pid"
    lock.unlink(missing_ok=True)
    starting = asyncio.create_task(source.address())
    while not (lock.exists() and (words := lock.read_text().split())):
        await asyncio.sleep(0)
    os.kill(int(words[0]), 9)
    async with session(await starting) as connection:
        assert await connection.fetchval("select 1") == 1
    await source.close()


async def test_a_client_that_hangs_on_start_lock_makes_others_wait_not_fail(home: Path) -> None:
    code = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX); "
        "print('held', flush=True); sys.stdin.read()"
    )
    lock = home / "postgres" / "start.lock"
    with talking([sys.executable, "-c", code, str(lock)]) as holder:
        assert holder.stdout
        holder.stdout.readline()
        source = EmbeddedPostgres(home)
        joining = asyncio.create_task(source.address())
        await asyncio.sleep(0.2)
        assert not joining.done()
        assert holder.stdin
        holder.stdin.close()
        await joining
        await source.close()


@linux
async def test_a_killed_keeper_leaves_a_server_that_the_last_user_stops(home: Path) -> None:
    source = EmbeddedPostgres(home)
    await source.address()
    pid = (await source.status()).pid or 0
    keeper = parent_of(pid)
    assert children_of(keeper) == [pid]
    os.kill(keeper, 9)
    until(lambda: not works(keeper))
    assert await starts(home)
    assert works(pid)
    await source.close()
    assert not works(pid)
