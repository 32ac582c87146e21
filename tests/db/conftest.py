"""Pools over the running server, databases of a test's own, and a watcher that counts sessions."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from undercroft.app.ground import source_of
from undercroft.db.connector import Connector
from undercroft.db.database import Database
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.db.limits import PoolLimits
from undercroft.db.pool import Pool
from undercroft.db.pools import Pools
from undercroft.db.queries import Query, make_query
from undercroft.settings import Settings

Connect = Callable[[str], Awaitable[asyncpg.Connection]]


@pytest.fixture
def limits() -> PoolLimits:
    return PoolLimits(
        minimum=0,
        maximum=5,
        idle=600.0,
        command_timeout=20.0,
        acquire_timeout=20.0,
        max_queries=50_000,
    )


@pytest.fixture
async def admin(connect: Connect, server: Settings) -> asyncpg.Connection:
    """A bare connection beside the pools, which it does not count."""
    return await connect(source_of(server)[1])


@pytest.fixture
async def new_database(
    admin: asyncpg.Connection, drop: Callable[[asyncpg.Connection, str], Awaitable[None]]
) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Make empty databases, dropped after the test."""
    made: list[str] = []

    async def make() -> str:
        name = f"t_{uuid.uuid4().hex[:12]}"
        await admin.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return name

    yield make
    for name in made:
        await drop(admin, name)


@pytest.fixture
async def new_pools(server: Settings) -> AsyncIterator[Callable[[int], Pools]]:
    """Make pools with a budget, closed after the test."""
    source, _ = source_of(server)
    made: list[Pools] = []

    def make(budget: int = 20) -> Pools:
        made.append(Pools(Connector(source), budget))
        return made[-1]

    yield make
    for pools in made:
        await pools.close()
    await source.close()


@dataclass(kw_only=True)
class Sessions:
    """The sessions of some databases as PostgreSQL sees them.

    One look at pg_stat_activity is no instant: it may show a session that ends and the one that
    takes its place. Sessions seen in two looks in a row did exist together between them.
    """

    admin: asyncpg.Connection
    databases: list[str]
    most: int = 0
    looks: int = 0
    pids: set[int] = field(default_factory=set)
    _last: set[tuple[Any, ...]] = field(default_factory=set)

    async def now(self, condition: str = "true") -> int:
        rows = await self.admin.fetch(
            "SELECT pid, backend_start FROM pg_stat_activity WHERE datname = ANY ($1) "
            f"AND backend_type = 'client backend' AND {condition}",
            self.databases,
        )
        seen = {tuple(row) for row in rows}
        self.pids |= {row["pid"] for row in rows}
        self.most = max(self.most, len(seen & self._last))
        self.looks += 1
        self._last = seen
        return len(rows)

    async def until(self, count: int, condition: str = "true") -> None:
        """Wait until exactly so many sessions meet the condition."""
        async with asyncio.timeout(20):
            while await self.now(condition) != count:
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Sessions]:
        """Look again and again for the length of the block."""

        async def look() -> None:
            while True:
                await self.now()

        looking = asyncio.create_task(look())
        try:
            yield self
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


@pytest.fixture
async def sessions(connect: Connect, server: Settings) -> Callable[..., Awaitable[Sessions]]:
    async def watch(*databases: str) -> Sessions:
        return Sessions(admin=await connect(source_of(server)[1]), databases=list(databases))

    return watch


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A database with one table, its pool, and the means to look at it from outside."""

    database: Database
    pools: Pools
    pool: Pool
    name: str
    outside: asyncpg.Connection
    sessions: Sessions

    async def write(self, value: str, *, through: Database | None = None) -> None:
        insert = make_query("insert_note", "INSERT INTO note (text) VALUES ($1)")
        await (through or self.database).execute(insert, value)

    async def notes(self) -> list[str]:
        return [row[0] for row in await self.outside.fetch("SELECT text FROM note ORDER BY text")]

    async def kill(self, condition: str = "true") -> int:
        """End the pool's sessions from outside, and see them gone; how many there were."""
        await self.sessions.now()
        ended = await self.outside.fetch(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = $1 AND pid <> pg_backend_pid() AND {condition}",
            self.name,
        )
        pids = [row["pid"] for row in ended]
        left = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1::int[])"
        async with asyncio.timeout(20):
            while await self.outside.fetchval(left, pids):
                await asyncio.sleep(0.005)
        return len(pids)


@pytest.fixture
async def desk(
    new_database: Callable[[], Awaitable[str]],
    new_pools: Callable[..., Pools],
    sessions: Callable[..., Awaitable[Sessions]],
    limits: PoolLimits,
    connect: Connect,
) -> Desk:
    name = await new_database()
    outside = await connect(name)
    await outside.execute(
        "CREATE TABLE note (text text PRIMARY KEY, number int CHECK (number > 0))"
    )
    pools = new_pools()
    pool = pools.pool(name, limits)
    return Desk(
        database=Database(pool, actor="test"),
        pools=pools,
        pool=pool,
        name=name,
        outside=outside,
        sessions=await sessions(name),
    )


@pytest.fixture
def query() -> Callable[[str], Query]:
    """A statement of the test's own as services name theirs."""
    return lambda text: make_query("test", text)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until something has become true in this process."""

    async def until(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)

    return until


@dataclass(frozen=True, kw_only=True)
class OpenServer:
    """A server of our own that lets any role in, as an external one would be."""

    folder: str
    port: int
    account: int

    def dsn(self, user: str, *, folder: str = "", port: int = 0) -> str:
        return (
            f"postgresql://{user}@/postgres?host={folder or self.folder}&port={port or self.port}"
        )

    async def run(self, text: str, database: str = "postgres") -> list[asyncpg.Record]:
        """Run a statement as the superuser."""
        connection = await asyncpg.connect(
            host=self.folder, port=self.port, user="postgres", database=database, ssl=False
        )
        try:
            return await connection.fetch(text)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenServer]:
    source = EmbeddedPostgres(tmp_path_factory.mktemp("open") / "home")
    address = asyncio.run(source.address())
    data = Path(asyncio.run(source.status()).data)
    with (data / "pg_hba.conf").open("a") as hba:
        hba.write("local all all trust\n")
    server = OpenServer(
        folder=str(address.host), port=int(str(address.port)), account=data.stat().st_uid
    )
    asyncio.run(server.run("SELECT pg_reload_conf()"))
    yield server
    asyncio.run(source.close())
