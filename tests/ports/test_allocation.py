"""A port is one asker's, the same each time, and nobody else's."""

from __future__ import annotations

import asyncio
import socket

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import InvalidInput, LimitReached, NotFound
from undercroft.ports.names import variable_of
from undercroft.ports.service import Ports
from undercroft.settings import Settings


async def test_the_same_asker_has_the_same_port_and_others_have_others(
    ports: Ports, project: str
) -> None:
    first = await ports.allocate(project, ["web"], worktree="/a")
    assert 20_000 <= first.ports["web"] < 30_000
    assert await ports.allocate(project, ["web"], worktree="/a") == first
    askers = [("web", "/b"), ("web", ""), ("db", "/a"), ("Web", "/a")]
    others = {
        (await ports.allocate(project, [service], worktree=tree)).ports[service]
        for service, tree in askers
    }
    assert len(others | {first.ports["web"]}) == 5


async def test_a_port_outlives_the_server(settings: Settings, ports: Ports, project: str) -> None:
    from undercroft.app import open_app

    before = await ports.allocate(project, ["web", "db"], worktree="/a")
    async with open_app(settings) as again:
        assert await (await again.ports()).allocate(project, ["db", "web"], worktree="/a") == before


async def test_a_port_that_was_given_back_mostly_comes_again(ports: Ports, project: str) -> None:
    first = await ports.allocate(project, ["web"])
    assert await ports.release(project, ["web"]) == [first.ports["web"]]
    assert await ports.allocate(project, ["web"]) == first


async def test_any_sql_client_gets_the_same_guarantees(
    ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    mine = (await ports.allocate(project, ["web"])).ports["web"]
    host = await sql.fetchval("SELECT host FROM port_allocations")
    assert await sql.fetchval("SELECT allocate_port($1, $2, 'web')", host, project) == mine
    other = await sql.fetchval("SELECT allocate_port($1, $2, 'api')", host, project)
    assert (await ports.allocate(project, ["api"])).ports["api"] == other != mine
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql.execute(
            "INSERT INTO port_allocations (host, port, project, service) VALUES ($1, $2, $3, 'x')",
            host,
            mine,
            project,
        )
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="not moved"):
        await sql.execute("UPDATE port_allocations SET port = port + 1")


async def test_askers_at_once_get_ports_of_their_own(
    app: App, project: str, sql: asyncpg.Connection
) -> None:
    """Held back together at the map, so that all have chosen before any has written."""
    await (await app.ports()).allocate(project, ["first"])
    async with sql.transaction():
        await sql.execute("SELECT FROM port_occupancy FOR UPDATE")
        askers = [
            asyncio.create_task((await app.ports()).allocate(project, [f"s{number % 4}"]))
            for number in range(8)
        ]
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND query LIKE '%allocate_port%'"
        )
        async with asyncio.timeout(10):
            while await sql.fetchval(waiting) < 4:
                await asyncio.sleep(0.01)
                await sql.execute("SELECT pg_stat_clear_snapshot()")
    given = [(await asker).ports for asker in askers]
    assert len({port for one in given for port in one.values()}) == 4
    assert given[:4] == given[4:]


async def test_two_that_choose_the_same_port_get_two(
    sql: asyncpg.Connection, connect, project: str
) -> None:
    """A range of two ports: both must choose the first that is free, one of them in vain."""
    await sql.execute("INSERT INTO port_ranges VALUES ('tiny', '[15000,15002)')")
    other = await connect(await sql.fetchval("SELECT current_database()"))
    ask = "SELECT allocate_port('h', $1, $2, '', 'tiny')"
    await sql.execute("INSERT INTO port_hosts (id) VALUES ('h')")
    transaction = sql.transaction()
    await transaction.start()
    first = await sql.fetchval(ask, project, "a")
    second = asyncio.create_task(other.fetchval(ask, project, "b"))
    async with asyncio.timeout(10):
        while not await sql.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1", other.get_server_pid()
        ):
            await asyncio.sleep(0.01)
    await transaction.commit()
    assert {first, await second} == {15_000, 15_001}
    with pytest.raises(asyncpg.PostgresError) as full:
        await sql.fetchval(ask, project, "c")
    assert full.value.sqlstate == "UC101"


async def test_several_services_get_ports_all_or_none(ports: Ports, project: str) -> None:
    given = await ports.allocate(project, ["web", "db", "web", "worker"])
    assert list(given.ports) == ["web", "db", "worker"]
    assert len(set(given.ports.values())) == 3
    assert given.env == {
        "WEB_PORT": str(given.ports["web"]),
        "DB_PORT": str(given.ports["db"]),
        "WORKER_PORT": str(given.ports["worker"]),
    }
    await ports.define_range("three", 15_100, 15_102)
    await ports.allocate(project, ["one"], range_name="three")
    with pytest.raises(LimitReached, match="not as many free ports"):
        await ports.allocate(project, ["two", "three", "four"], range_name="three")
    page = await ports.page(project)
    assert {one.service for one in page.items} == {"web", "db", "worker", "one"}


async def test_a_block_follows_itself_even_across_the_map(ports: Ports, project: str) -> None:
    edge = 15 * 1024
    await ports.define_range("edge", edge - 6, edge + 5)
    names = [f"n{number}" for number in range(10)]
    given = await ports.allocate(project, names, range_name="edge", contiguous=True)
    found = list(given.ports.values())
    assert found == list(range(found[0], found[0] + 10))
    with pytest.raises(LimitReached):
        await ports.allocate(project, ["a", "b", "c"], range_name="edge", contiguous=True)


async def test_what_another_program_has_is_never_given(ports: Ports, project: str, listen) -> None:
    await ports.define_range("small", 15_200, 15_205)
    listen(15_200)
    listen(15_201, address="0.0.0.0")  # noqa: S104 - as many servers do
    listen(15_202, socket.AF_INET6, address="::1")
    listen(15_203, kind=socket.SOCK_DGRAM)
    given = await ports.allocate(project, ["a", "b"], range_name="small")
    assert set(given.ports.values()) == {15_204, 15_205}
    with pytest.raises(LimitReached):
        await ports.allocate(project, ["c"], range_name="small")
    assert (await ports.allocate(project, ["a"], range_name="small")).ports["a"] > 15_203


async def test_a_guess_that_another_program_has_is_passed_over(
    ports: Ports, project: str, listen
) -> None:
    guess = (await ports.allocate(project, ["web"])).ports["web"]
    await ports.release(project, ["web"])
    listen(guess)
    assert (await ports.allocate(project, ["web"])).ports["web"] == guess + 1


async def test_known_and_ephemeral_ports_are_given_only_by_number(
    ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    await sql.execute("UPDATE port_ranges SET ports = '[20000,27017)' WHERE name = 'default'")
    await ports.define_range("mongo", 27_017, 27_020)
    await ports.define_range("high", 32_766, 40_000)
    assert await ports.find(1, "mongo") == [27_020]
    with pytest.raises(LimitReached):
        await ports.find(2, "mongo")
    asked = await ports.allocate(project, ["mongo"], preferred=27_017)
    assert asked.ports["mongo"] == 27_017
    await ports.release(project, port=27_017)
    assert await ports.find(1, "mongo") == [27_020]
    await sql.execute("UPDATE port_hosts SET ephemeral = '[32768,61000)'")
    assert sorted(await ports.find(2, "high")) == [32_766, 32_767]
    assert (await ports.allocate(project, ["up"], preferred=39_999)).ports["up"] == 39_999


async def test_a_preferred_port_that_is_anothers_is_not_taken(
    ports: Ports, project: str, listen
) -> None:
    mine = (await ports.allocate(project, ["web"], preferred=15_300)).ports["web"]
    assert mine == 15_300
    other = (await ports.allocate(project, ["api"], preferred=15_300)).ports["api"]
    assert other != 15_300
    listen(15_301)
    assert (await ports.allocate(project, ["x"], preferred=15_301)).ports["x"] != 15_301


async def test_a_list_goes_through_all_pages(ports: Ports, project: str) -> None:
    await ports.allocate(project, [f"s{number}" for number in range(7)])
    seen, cursor = [], ""
    while True:
        page = await ports.page(project, limit=3, cursor=cursor)
        seen += [one.port for one in page.items]
        if not (cursor := page.next_cursor or ""):
            break
    assert seen == sorted(seen)
    assert len(set(seen)) == 7


async def test_a_dropped_project_leaves_no_ports(
    app: App, ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    port = (await ports.allocate(project, ["web"])).ports["web"]
    projects = await app.projects()
    await projects.archive(project)
    await projects.drop(project)
    assert await sql.fetchval("SELECT count(*) FROM port_allocations") == 0
    taken = "SELECT get_bit(taken, $1 % 1024) FROM port_occupancy WHERE block = $1 / 1024"
    assert await sql.fetchval(taken, port) == 0


@pytest.mark.parametrize(
    ("services", "options"),
    [
        ([], {}),
        (["a b"], {}),
        (["x" * 65], {}),
        ([f"s{number}" for number in range(101)], {}),
        (["a", "b"], {"preferred": 4000}),
        (["a"], {"worktree": "/" + "x" * 5000}),
    ],
)
async def test_what_cannot_be_is_refused_before_anything_is_given(
    ports: Ports, project: str, services, options
) -> None:
    with pytest.raises(InvalidInput):
        await ports.allocate(project, services, **options)
    assert not (await ports.page()).items


async def test_names_that_nobody_knows_are_said(ports: Ports, project: str) -> None:
    with pytest.raises(NotFound, match="no range"):
        await ports.allocate(project, ["web"], range_name="nowhere")
    with pytest.raises(NotFound, match="no such project"):
        await ports.allocate("no_such_project", ["web"])
    with pytest.raises(NotFound, match="no such port"):
        await ports.release(project, ["web"])


def test_a_variable_is_one_for_any_name() -> None:
    assert variable_of("web") == "WEB_PORT"
    assert variable_of("api.v2-new") == "API_V2_NEW_PORT"
    assert variable_of("3d") == "_3D_PORT"
