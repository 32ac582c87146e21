"""Opening connections to a server that is down, full, comes back, or is killed under load."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from undercroft.db.connector import Connector
from undercroft.db.database import Database
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.db.limits import PoolLimits
from undercroft.db.pools import Pools
from undercroft.db.queries import make_query
from undercroft.db.source import ServerAddress
from undercroft.errors import Forbidden, NotFound, OutcomeUnknown, Unavailable

NOWHERE = ServerAddress(host="/nonexistent", port=1, user="nobody", parameters={"ssl": False})


@dataclass
class Switch:
    """A server that is somewhere or nowhere, as the test says."""

    there: ServerAddress
    up: bool = False
    mends: bool = False
    recoveries: int = 0
    asked: list[ServerAddress] = field(default_factory=list)

    async def address(self) -> ServerAddress:
        self.asked.append(self.there if self.up else NOWHERE)
        return self.asked[-1]

    async def recover(self) -> None:
        self.recoveries += 1
        self.up = self.up or self.mends

    async def close(self) -> None:
        """Nothing to stop."""


@pytest.fixture
def switch(address: ServerAddress) -> Switch:
    return Switch(there=address)


@pytest.fixture
def hasty(limits) -> PoolLimits:
    return replace(limits, acquire_timeout=0.2)


async def test_a_server_that_stays_down_is_unavailable_by_the_deadline(switch, hasty) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(Unavailable, match="does not answer"):
        await Connector(switch).connect("postgres", hasty)
    assert loop.time() - started < 5
    assert switch.recoveries >= 1


async def test_a_server_that_recovers_in_time_is_reached_by_the_same_call(switch, hasty) -> None:
    switch.mends = True
    connection = await Connector(switch).connect("postgres", hasty)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_all_who_wait_share_one_recovery(switch, limits) -> None:
    gate = asyncio.Event()

    class Slow(Switch):
        async def recover(self) -> None:
            self.recoveries += 1
            await gate.wait()
            self.up = True

    slow = Slow(there=switch.there)
    connector = Connector(slow)
    calls = [asyncio.create_task(connector.connect("postgres", limits)) for _ in range(6)]
    while not slow.recoveries:
        await asyncio.sleep(0.001)
    gate.set()
    for connection in await asyncio.gather(*calls):
        await connection.close()
    assert slow.recoveries == 1


async def test_while_the_breaker_is_open_callers_fail_at_once(switch, hasty) -> None:
    connector = Connector(switch, pause=60.0)
    with pytest.raises(Unavailable):
        await connector.connect("postgres", hasty)
    switch.up = True
    asked = len(switch.asked)
    with pytest.raises(Unavailable) as refused:
        await connector.connect("postgres", hasty)
    assert len(switch.asked) == asked
    assert 1 < refused.value.data["retry_after_seconds"] <= 120


async def test_after_the_pause_one_caller_probes_and_success_closes_the_breaker(
    switch, hasty
) -> None:
    connector = Connector(switch, pause=0.01)
    with pytest.raises(Unavailable):
        await connector.connect("postgres", hasty)
    loop = asyncio.get_running_loop()
    pause_over = loop.time() + 0.02
    while loop.time() <= pause_over:
        await asyncio.sleep(0.001)
    probe = asyncio.create_task(connector.connect("postgres", hasty))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await connector.connect("postgres", hasty)
    switch.up = True
    await (await probe).close()
    for connection in [await connector.connect("postgres", hasty) for _ in range(3)]:
        await connection.close()


async def test_a_refusal_by_a_living_server_closes_the_breaker_too(switch, hasty) -> None:
    connector = Connector(switch, pause=0.0)
    with pytest.raises(Unavailable):
        await connector.connect("postgres", hasty)
    switch.up = True
    with pytest.raises(NotFound):
        await connector.connect("t_nowhere", hasty)
    connections = await asyncio.gather(*(connector.connect("postgres", hasty) for _ in range(3)))
    for connection in connections:
        await connection.close()


async def test_a_probe_that_is_cancelled_leaves_the_probing_to_another(switch, hasty) -> None:
    connector = Connector(switch, pause=0.0)
    with pytest.raises(Unavailable):
        await connector.connect("postgres", hasty)
    probe = asyncio.create_task(connector.connect("postgres", hasty))
    await asyncio.sleep(0)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    switch.up = True
    await (await connector.connect("postgres", hasty)).close()


async def test_a_full_server_does_not_open_the_breaker(switch, hasty, new_database, admin) -> None:
    name = await new_database()
    await admin.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    switch.up = True
    connector = Connector(switch, pause=60.0)
    with pytest.raises(Unavailable, match="no free connection"):
        await connector.connect(name, hasty)
    await (await connector.connect("postgres", hasty)).close()


async def test_what_is_refused_is_told_apart(switch, hasty, new_database, admin) -> None:
    switch.up = True
    closed = await new_database()
    await admin.execute(f"ALTER DATABASE {closed} ALLOW_CONNECTIONS false")
    connector = Connector(switch)
    with pytest.raises(NotFound, match="does not exist"):
        await connector.connect("t_nowhere", hasty)
    with pytest.raises(NotFound, match="archived"):
        await connector.connect(closed, hasty)
    switch.there = replace(switch.there, user="t_nobody")
    with pytest.raises(Forbidden, match="refuses the server's role"):
        await Connector(switch).connect("postgres", hasty)


async def postmaster(source: EmbeddedPostgres) -> int:
    pid = (await source.status()).pid
    assert pid
    return pid


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that the test may kill."""
    source = EmbeddedPostgres(tmp_path / "home")
    await source.address()
    yield source
    await source.close()


@dataclass
class Writers:
    """Clients that write without rest, and what they know of each write."""

    database: Database
    acknowledged: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, writer: int) -> None:
        insert = make_query("insert_note", "INSERT INTO note (text) VALUES ($1)")
        for name in (f"{writer}/{number}" for number in itertools.count()):
            if self.stop.is_set():
                return
            try:
                await self.database.execute(insert, name)
                self.acknowledged.add(name)
            except OutcomeUnknown:
                self.doubtful.add(name)
            except Unavailable:
                continue

    async def more(self, count: int) -> None:
        enough = len(self.acknowledged) + count
        async with asyncio.timeout(60):
            while len(self.acknowledged) < enough:
                await asyncio.sleep(0.005)


async def test_calls_survive_a_postmaster_that_is_killed_in_their_midst(own_server, limits) -> None:
    pools = Pools(Connector(own_server), 6)
    async with pools.dedicated("postgres") as connection:
        await connection.execute("CREATE DATABASE notes")
    database = Database(pools.pool("notes", replace(limits, acquire_timeout=40.0)))
    await database.execute_text("CREATE TABLE note (text text PRIMARY KEY)")
    writers = Writers(database)
    tasks = [asyncio.create_task(writers.write(number)) for number in range(8)]
    killed = []
    for _ in range(3):
        await writers.more(200)
        killed.append(await postmaster(own_server))
        os.kill(killed[-1], signal.SIGKILL)
        while await postmaster_or_none(own_server) in (None, killed[-1]):
            await asyncio.sleep(0.005)
    await writers.more(200)
    writers.stop.set()
    await asyncio.gather(*tasks)
    stored = {row[0] for row in await database.fetch_text("SELECT text FROM note")}
    await pools.close()
    assert len(set(killed)) == 3
    assert writers.acknowledged <= stored
    assert stored - writers.acknowledged <= writers.doubtful
    assert pools.budget.used == 0


async def postmaster_or_none(source: EmbeddedPostgres) -> int | None:
    status = await source.status()
    return status.pid if status.accepting else None
