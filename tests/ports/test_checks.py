"""What stands on a port: seen on the machine, kept with its history, a reason not to reclaim."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import psutil
import pytest

from undercroft.app import App
from undercroft.errors import InvalidInput, NotFound
from undercroft.ports.service import Ports

STATUS = {"/": b"200 OK", "/broken": b"503 Out", "/gone": b"404 Not"}


@asynccontextmanager
async def web(port: int) -> AsyncIterator[None]:
    """A server of pages."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        words = (await reader.readline()).split()
        if len(words) > 1:
            status = STATUS[words[1].decode()]
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        yield


async def test_what_listens_is_told_with_its_process(ports: Ports, project: str, listen) -> None:
    given = (await ports.allocate(project, ["web", "db", "dns"])).ports
    listen(given["web"])
    listen(given["dns"], kind=socket.SOCK_DGRAM)
    seen = {one.service: one for one in await ports.check(project)}
    assert [seen[name].state for name in ("web", "db", "dns")] == [
        "listening",
        "silent",
        "listening",
    ]
    me = psutil.Process()
    assert (seen["web"].pid, seen["web"].process) == (os.getpid(), me.name())
    assert seen["web"].since == datetime.fromtimestamp(me.create_time(), UTC)
    assert 0 < (seen["web"].latency_ms or 0) < 1000
    assert seen["db"].pid is None
    assert seen["dns"].latency_ms is None
    # It is kept: whoever lists reads it.
    assert {one.service: one for one in (await ports.page(project)).items} == seen


async def test_an_answer_over_http_is_told(ports: Ports, project: str, listen) -> None:
    given = (await ports.allocate(project, ["web", "mute"])).ports
    async with web(given["web"]):
        [seen] = await ports.check(project, ["web"], "/")
        assert (seen.state, seen.http) == ("listening", 200)
        [seen] = await ports.check(project, ["web"], "/gone")
        assert (seen.state, seen.http) == ("listening", 404)
        [seen] = await ports.check(project, ["web"], "/broken")
        assert (seen.state, seen.http) == ("failing", 503)
    # It takes the connection and says nothing.
    listen(given["mute"])
    [seen] = await ports.check(project, ["mute"], "/")
    assert (seen.state, seen.http) == ("failing", None)


@pytest.mark.parametrize("path", ["health", "/a b", "/\n", "@evil.example/", "/" + "x" * 1001])
async def test_a_path_that_is_none_is_refused(ports: Ports, project: str, path: str) -> None:
    with pytest.raises(InvalidInput):
        await ports.check(project, [], path)


async def test_changes_are_kept_as_history(ports: Ports, project: str, listen) -> None:
    port = (await ports.allocate(project, ["web"])).ports["web"]
    await ports.check(project)
    with listen(port):
        await ports.check(project)
        await ports.check(project)
    await ports.check(project)
    found = await ports.get(port)
    assert [one["state"] for one in found.history] == ["silent", "listening", "silent"]
    assert found.history[1]["pid"] == os.getpid()
    assert found.port.state == "silent"
    with pytest.raises(NotFound):
        await ports.get(port + 1)


async def test_ports_without_a_reason_are_reclaimed_but_not_from_under_a_listener(
    app: App, project: str, sql: asyncpg.Connection, listen, tmp_path: Path
) -> None:
    ports = await app.ports("test")
    other = f"{project}_put_away"
    projects = await app.projects()
    await projects.create(other)
    tree, gone = tmp_path / "tree", tmp_path / "gone"
    tree.mkdir()
    kept = (await ports.allocate(project, ["web"], worktree=str(tree))).ports["web"]
    lost = (await ports.allocate(project, ["web"], worktree=str(gone))).ports["web"]
    busy = (await ports.allocate(project, ["api"], worktree=str(gone))).ports["api"]
    named = (await ports.allocate(project, ["web"], worktree="fix-login")).ports["web"]
    away = (await ports.allocate(other, ["web"])).ports["web"]
    held = (await ports.reserve(project, 1)).ports[0]
    await sql.execute("UPDATE port_reservations SET expires_at = now() - interval '1 second'")
    await projects.archive(other)
    listen(busy)
    trial = await ports.reclaim(dry_run=True)
    assert await sql.fetchval("SELECT count(*) FROM port_allocations") == 6
    done = await ports.reclaim()
    assert done == trial
    assert {one.port: one.reason for one in done.freed} == {
        lost: "worktree gone",
        away: "project archived",
        held: "reservation over",
    }
    assert [one.port for one in done.kept] == [busy]
    left = await sql.fetch("SELECT port FROM port_allocations ORDER BY port")
    assert [row["port"] for row in left] == sorted([kept, busy, named])


async def test_what_was_given_anew_meanwhile_is_not_reclaimed(
    app: App, project: str, tmp_path: Path, sql: asyncpg.Connection
) -> None:
    """Two reclaim at once, and between their look and their release the port gets another asker."""
    ports, gone = await app.ports("test"), str(tmp_path / "gone")
    first = (await ports.allocate(project, ["web"], worktree=gone, preferred=15_710)).ports["web"]
    reclaiming = asyncio.create_task(ports.reclaim())
    async with sql.transaction():
        # It is held back at the block of the port, which it has found to be lost.
        await sql.execute("SELECT FROM port_occupancy WHERE block = $1 FOR UPDATE", first // 1024)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND wait_event_type = 'Lock' AND query LIKE '%release_ports%'"
        )
        async with asyncio.timeout(10):
            while not await sql.fetchval(waiting):
                await asyncio.sleep(0.01)
                await sql.execute("SELECT pg_stat_clear_snapshot()")
        await sql.execute("DELETE FROM port_allocations WHERE port = $1", first)
        host = await sql.fetchval("SELECT id FROM port_hosts")
        again = "SELECT allocate_port($1, $2, 'api', '', 'default', $3)"
        assert await sql.fetchval(again, host, project, first) == first
    assert (await reclaiming).freed == []
    assert [one.service for one in (await ports.page(project)).items] == ["api"]
