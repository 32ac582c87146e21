"""Many clients over streamable HTTP and SSE: whom the server lets in, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.sse import sse_client

from undercroft.mcp.http import MAX_BODY, Gate, is_loopback
from undercroft.settings import Settings

from .conftest import Obstacle, Process, Spawn

Obstruct = Callable[[str, str], Awaitable[Obstacle]]
HEADERS = {"accept": "application/json, text/event-stream"}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


async def listen(spawn: Spawn, *flags: str, **env: str) -> tuple[Process, str]:
    """A server on a free port, and its address."""
    server = await spawn("--transport", "http", "--port", "0", *flags, **env)
    port = (await server.logged("listening"))["port"]
    return server, f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
@pytest.mark.parametrize("flags", [[], ["--stateless"]])
async def test_the_official_client_works_over_http(
    spawn: Spawn, project_name: str, mode: str, flags: list[str]
) -> None:
    _, url = await listen(spawn, *flags)
    async with Client(url + "/mcp", mode=mode) as client:
        await client.call_tool("create_project", {"name": project_name})
        listed = await client.call_tool("list_entity_types", {"project": project_name})
        assert listed.structured_content is not None
        assert listed.structured_content["project"] == project_name
        # Nothing follows from a folder over HTTP: it is the server's, not the client's.
        nowhere = await client.call_tool("list_entity_types", {})
        assert nowhere.is_error


async def test_the_official_client_works_over_sse(spawn: Spawn, project_name: str) -> None:
    server = await spawn("--transport", "sse", "--port", "0")
    port = (await server.logged("listening"))["port"]
    async with Client(sse_client(f"http://127.0.0.1:{port}/sse"), mode="legacy") as client:
        made = await client.call_tool("create_project", {"name": project_name})
        assert made.structured_content is not None
        assert made.structured_content["name"] == project_name


async def test_sessions_are_kept_unless_the_server_is_stateless(spawn: Spawn) -> None:
    for flags, expected in (([], True), (["--stateless"], False)):
        _, url = await listen(spawn, *flags)
        async with httpx2.AsyncClient() as web:
            answer = await web.post(url + "/mcp", json=INITIALIZE, headers=HEADERS)
        assert answer.status_code == 200
        assert ("mcp-session-id" in answer.headers) is expected


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:1"}, 200),
        ({"host": "[::1]:9"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "evil.example@127.0.0.1"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://localhost:6274"}, 200),
        ({"origin": "https://127.0.0.1"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "file://localhost"}, 403),
    ],
)
async def test_only_this_machine_is_a_welcome_name_and_origin(
    headers: dict[str, str], status: int
) -> None:
    assert await through_gate(Settings(), headers | {"host": headers.get("host", "127.0.0.1")}) == (
        status
    )


async def test_named_hosts_and_origins_are_welcome() -> None:
    settings = Settings(
        allowed_hosts="db.example, other:8377", allowed_origins="https://ui.example"
    )
    assert await through_gate(settings, {"host": "db.example:8377"}) == 200
    assert await through_gate(settings, {"host": "OTHER:8377"}) == 200
    assert await through_gate(settings, {"host": "other:1"}) == 403
    ours = {"host": "db.example"}
    assert await through_gate(settings, ours | {"origin": "https://ui.example"}) == 200
    assert await through_gate(settings, ours | {"origin": "https://ui.example.evil"}) == 403


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Bearer s3cret-long", 200),
        ("bearer s3cret-long", 200),
        ("Bearer s3cret-lon", 401),
        ("Bearer s3cret-long2", 401),
        ("Basic s3cret-long", 401),
        ("s3cret-long", 401),
        ("Bearer ", 401),
        ("", 401),
    ],
)
async def test_a_token_opens_the_gate_and_nothing_else_does(
    authorization: str, status: int
) -> None:
    settings = Settings(token="s3cret-long")
    headers = {"host": "localhost"} | ({"authorization": authorization} if authorization else {})
    assert await through_gate(settings, headers) == status
    assert await through_gate(settings, {"host": "localhost"}, "/health") == 200


async def through_gate(settings: Settings, headers: dict[str, str], path: str = "/mcp") -> int:
    """The status that a request gets: 200 where the application behind the gate sees it."""
    sent: list[dict[str, Any]] = []

    async def behind(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "path": path, "headers": raw, "query_string": b"token=s3cret-long"}
    await Gate(behind, settings)(scope, None, send)
    return int(sent[0]["status"])


async def test_the_gate_stands_in_front_of_the_real_server(spawn: Spawn) -> None:
    _, url = await listen(spawn, UNDERCROFT_TOKEN="s3cret-long")
    async with httpx2.AsyncClient(base_url=url, headers=HEADERS) as web:
        bearer = {"authorization": "Bearer s3cret-long"}
        assert (await web.get("/health")).json() == {"status": "ok"}
        assert (await web.post("/mcp", json=INITIALIZE)).status_code == 401
        in_address = await web.post("/mcp?token=s3cret-long", json=INITIALIZE)
        assert in_address.status_code == 401
        foreign = await web.post("/mcp", json=INITIALIZE, headers=bearer | {"host": "evil.example"})
        assert foreign.status_code == 403
        assert (await web.post("/mcp", json=INITIALIZE, headers=bearer)).status_code == 200


async def test_a_request_that_is_too_large_is_refused(spawn: Spawn) -> None:
    _, url = await listen(spawn)
    async with httpx2.AsyncClient(base_url=url, headers=HEADERS) as web:
        body = b" " * (MAX_BODY + 1)
        headers = {"content-type": "application/json"}
        assert (await web.post("/mcp", content=body, headers=headers)).status_code == 413
        assert (await web.post("/mcp", json=INITIALIZE)).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104 - refused
async def test_no_other_machine_is_served_without_a_token(spawn: Spawn, host: str) -> None:
    server = await spawn("--transport", "http", "--port", "0", "--host", host)
    assert await server.ended() == 2
    assert server.process.stderr
    said = (await server.process.stderr.read()).decode()
    assert "does not listen on" in said
    assert "UNDERCROFT_TOKEN" in said


def test_every_way_to_write_loopback_is_known() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"]))
    others = ["", "0.0.0.0", "10.0.0.1", "localhost.evil", "127.0.0.1.x"]  # noqa: S104 - no bind
    assert not any(map(is_loopback, others))


async def test_a_taken_port_is_said_in_one_sentence(spawn: Spawn) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = await spawn("--transport", "http", "--port", port)
        assert await server.ended() == 2
        assert server.process.stderr
        said = (await server.process.stderr.read()).decode()
    assert f"Cannot listen on 127.0.0.1:{port}" in said
    assert "Traceback" not in said


async def test_a_signal_lets_calls_finish_over_http_and_refuses_further_ones(
    spawn: Spawn, obstruct: Obstruct, project_name: str
) -> None:
    server, url = await listen(spawn)
    async with Client(url + "/mcp", mode="legacy") as client:
        await client.call_tool("create_project", {"name": project_name})
        ours = {"project": project_name}
        data = {"title": "one", "status": "pending"}
        made = await client.call_tool("create_entity", ours | {"type": "task", "data": data})
        assert made.structured_content is not None
        record = made.structured_content["id"]
        obstacle = await obstruct(f"project_{project_name}", record)
        change = ours | {"id": record, "version": 1, "patch": {"status": "completed"}}
        waiting = asyncio.create_task(client.call_tool("update_entity", change))
        await obstacle.met()
        os.kill(server.pid, signal.SIGTERM)
        await server.logged("ending")
        refused = await client.call_tool("list_projects", {})
        assert refused.structured_content is not None
        assert refused.structured_content["code"] == "unavailable"
        await obstacle.lift()
        answer = (await waiting).structured_content
        assert answer is not None
        assert answer["version"] == 2
        assert await server.ended() == 0
    assert not any("Traceback" in line for line in server.noise)


async def test_a_listener_hears_that_the_server_ends(spawn: Spawn, project_name: str) -> None:
    server, url = await listen(spawn)
    async with Client(url + "/mcp", mode="2026-07-28") as client:
        await client.call_tool("create_project", {"name": project_name})
        uri = f"undercroft://project/{project_name}/overview"
        async with client.listen(resource_subscriptions=[uri]) as events:
            os.kill(server.pid, signal.SIGTERM)
            assert [event async for event in events] == []
    assert await server.ended() == 0
    assert json.loads(server.noise[-1])
