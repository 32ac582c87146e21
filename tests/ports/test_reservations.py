"""Ports that are held for a while: by the database's clock, and gone with it."""

from __future__ import annotations

import asyncpg
import pytest

from undercroft.errors import InvalidInput, LimitReached, NotFound
from undercroft.ports.service import Ports

PASSED = "UPDATE port_reservations SET expires_at = now() - interval '1 second'"


async def test_what_is_held_is_nobody_elses(ports: Ports, project: str) -> None:
    await ports.define_range("five", 15_400, 15_404)
    held = await ports.reserve(project, 3, range_name="five", contiguous=True, purpose="e2e")
    assert list(held.ports) == [*range(held.ports[0], held.ports[0] + 3)]
    free = set(await ports.find(2, "five"))
    assert free == set(range(15_400, 15_405)) - set(held.ports)
    with pytest.raises(LimitReached):
        await ports.reserve(project, 3, range_name="five")
    with pytest.raises(LimitReached):
        await ports.allocate(project, ["a", "b", "c"], range_name="five")


async def test_time_is_the_databases_and_gives_the_ports_back(
    ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    await ports.define_range("five", 15_400, 15_404)
    held = await ports.reserve(project, 5, ttl=60, range_name="five")
    left = await sql.fetchval(
        "SELECT extract(epoch FROM expires_at - now()) FROM port_reservations"
    )
    assert 50 < left <= 60
    await sql.execute(PASSED)
    assert (await ports.page(project)).items == []
    with pytest.raises(NotFound, match="no reservation"):
        await ports.renew(project, str(held.reservation))
    assert len((await ports.allocate(project, ["a", "b"], range_name="five")).ports) == 2
    assert await sql.fetchval("SELECT count(*) FROM port_reservations") == 0


async def test_a_renewed_reservation_holds_on(
    ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    held = await ports.reserve(project, 2, ttl=10)
    again = await ports.renew(project, str(held.reservation), ttl=1000)
    assert again.ports == held.ports
    assert (again.expires_at - held.expires_at).total_seconds() > 900
    assert await sql.fetchval("SELECT cleanup_expired_reservations()") == 0


async def test_a_held_port_becomes_a_services_when_it_is_preferred(
    ports: Ports, project: str, sql: asyncpg.Connection
) -> None:
    held = await ports.reserve(project, 2)
    wanted = held.ports[1]
    given = await ports.allocate(project, ["web"], preferred=wanted)
    assert given.ports["web"] == wanted
    await sql.execute(PASSED)
    await sql.fetchval("SELECT cleanup_expired_reservations()")
    assert [one.port for one in (await ports.page(project)).items] == [wanted]


async def test_another_project_gets_nothing_of_it(app, ports: Ports, project: str) -> None:
    other = f"{project}_other"
    await (await app.projects()).create(other)
    held = await ports.reserve(project, 1)
    given = await ports.allocate(other, ["web"], preferred=held.ports[0])
    assert given.ports["web"] != held.ports[0]
    for forbidden in (
        ports.renew(other, str(held.reservation)),
        ports.let_go(other, str(held.reservation)),
        ports.release(other, port=held.ports[0]),
    ):
        with pytest.raises(NotFound):
            await forbidden
    await ports.let_go(project, str(held.reservation))
    assert (await ports.page(project)).items == []


@pytest.mark.parametrize(
    ("count", "ttl"), [(0, 60), (101, 60), (1, 0), (1, -5), (1, 700_000), (1, float("nan"))]
)
async def test_what_nobody_would_remember_is_refused(
    ports: Ports, project: str, count: int, ttl: float
) -> None:
    with pytest.raises(InvalidInput):
        await ports.reserve(project, count, ttl)


async def test_a_reservation_that_is_none_is_said(ports: Ports, project: str) -> None:
    for text in ("", "x", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(NotFound, match="no reservation"):
            await ports.let_go(project, text)
