import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from undercroft.db import embedded
from undercroft.db.source import ServerAddress

SERVER = os.pathsep.join(
    [str(Path(__file__).parents[3] / "server"), os.environ.get("PYTHONPATH", "")]
)
# A process that uses the server: it joins, says so, obeys one word, and ends.
USER = """
import asyncio, json, os, signal, sys
from pathlib import Path
import structlog
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.errors import UndercroftError

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    source = EmbeddedPostgres(Path(sys.argv[1]), keeper_interval=float(sys.argv[2]))
    try:
        address = await source.address()
    except UndercroftError as error:
        print(json.dumps(error.as_dict()), flush=True)
        return
    status = await source.status()
    print(json.dumps({"host": address.host, "pid": status.pid, "data": status.data}), flush=True)
    word = (await asyncio.to_thread(sys.stdin.readline)).strip()
    if not word:
        return  # its owner has ended it in another way, and a signal may still be on its way
    if word == "fork" and os.fork() == 0:
        print(json.dumps({"child": os.getpid()}), flush=True)
        signal.pause()
        os._exit(0)
    if word == "fork":
        await asyncio.to_thread(asyncio.run, asyncio.sleep(3600))
    if word == "keep":
        await source.keep()
    await source.close()

asyncio.run(main())
"""


OPENED: list["EmbeddedPostgres"] = []


class EmbeddedPostgres(embedded.EmbeddedPostgres):
    """The real thing; one that a failed test leaves open is closed before the next test."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        OPENED.append(self)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what a test opened: its lock would make every later test fail as well."""
    yield
    while OPENED:
        asyncio.run(OPENED.pop().close())


class UserProcess:
    """A process of its own that uses the embedded server of a home."""

    def __init__(
        self,
        home: Path,
        *,
        interval: float = 30.0,
        env: dict[str, str] | None = None,
        groups: list[int] | None = None,
    ) -> None:
        environ = os.environ | {"PYTHONPATH": SERVER, "PYTHONUTF8": "1"} | (env or {})
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home), str(interval)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environ,
            start_new_session=True,
            extra_groups=groups,
        )

    def said(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, "the process ended without a word"
        return dict(json.loads(line))

    def tell(self, word: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def leave(self) -> None:
        self.tell("close")
        self.end()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


Spawn = Callable[..., UserProcess]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start processes that use a home; they end with the test."""
    users: list[UserProcess] = []

    def start(home: Path, **options: Any) -> UserProcess:
        users.append(UserProcess(home, **options))
        return users[-1]

    yield start
    for user in users:
        if user.process.poll() is None:
            user.kill()


def talking(command: list[str]) -> subprocess.Popen[str]:
    """A program that we read from and write to."""
    return subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )


def works(pid: int) -> bool:
    """Whether the process lives: no zombie that nobody has reaped yet, and not about to be one.

    A process that exits lets go of its files and its folder first, and is seen running meanwhile.
    """
    try:
        Path(f"/proc/{pid}/cwd").readlink()
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self").exists():
            return False
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True
    return stat.rpartition(")")[2].split()[0] != "Z"


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_files_of(pid: int) -> list[str]:
    return [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a condition; it failing to come is the test's failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


async def connect(address: ServerAddress, database: str = "postgres", user: str = "") -> Any:
    return await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=user or address.user,
        database=database,
        **address.parameters,
    )


@asynccontextmanager
async def session(address: ServerAddress, database: str = "postgres") -> AsyncIterator[Any]:
    connection = await connect(address, database)
    try:
        yield connection
    finally:
        await connection.close()


def remove(home: Path) -> None:
    """Stop whatever runs there, then remove it."""
    for link in (home / "postgres").glob("[0-9]*"):
        if link.is_symlink():
            shutil.rmtree(link.resolve().parent, ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's user can come to; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="undercroft-test-"))
    folder.chmod(0o755)
    yield folder
    for lock in [*folder.rglob("start.lock")]:
        home = lock.parents[1]
        asyncio.run(EmbeddedPostgres(home).stop(force=True))
        remove(home)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def prepared() -> Iterator[Path]:
    """A home whose data has been made and whose server has been stopped: made once."""
    folder = Path(tempfile.mkdtemp(prefix="undercroft-test-"))
    folder.chmod(0o755)
    home = folder / "home"

    async def make() -> None:
        source = EmbeddedPostgres(home)
        await source.address()
        await source.close()

    asyncio.run(make())
    OPENED.clear()
    yield home
    remove(home)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def home(prepared: Path) -> Iterator[Path]:
    """A home with data in it and no server; the next test gets it back in this state."""
    yield prepared
    asyncio.run(EmbeddedPostgres(prepared).stop(force=True))


def copied(prepared: Path, home: Path) -> Path:
    home.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", str(prepared), str(home)], check=True)
    return home
