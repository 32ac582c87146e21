"""One client over stdio: both eras of the protocol, and nothing but protocol on stdout."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from undercroft.mcp.inbox import MAX_LINE
from undercroft.settings import Settings

from .conftest import Spawn, environment

REVISIONS = [version for version in HANDSHAKE_PROTOCOL_VERSIONS if version >= "2025-06-18"]
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.mark.parametrize("revision", REVISIONS)
async def test_each_revision_with_a_handshake_is_spoken(spawn: Spawn, revision: str) -> None:
    server = await spawn()
    assert (await server.initialize(revision))["protocolVersion"] == revision
    assert (await server.call("list_projects")) == {"items": []}


async def test_the_revision_without_a_handshake_is_spoken(spawn: Spawn) -> None:
    server = await spawn()
    found = (await server.request("server/discover", _meta=ENVELOPE))["result"]
    assert found["supportedVersions"] == ["2026-07-28"]
    assert found["capabilities"]["resources"]["subscribe"] is True
    answer = await server.request("tools/call", name="list_projects", arguments={}, _meta=ENVELOPE)
    assert answer["result"]["structuredContent"] == {"items": []}


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
async def test_the_official_client_works_in_both_eras(
    settings: Settings, tmp_path: Path, project_name: str, mode: str
) -> None:
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "undercroft"], env=environment(settings), cwd=tmp_path
    )
    async with Client(parameters, mode=mode) as client:
        made = await client.call_tool("create_project", {"name": project_name})
        assert made.structured_content is not None
        assert made.structured_content["name"] == project_name
        # The working folder is the project's root from now on.
        types = await client.call_tool("list_entity_types", {})
        assert types.structured_content is not None
        assert types.structured_content["project"] == project_name
        failed = await client.call_tool("get_entity", {"idd": "x"})
        assert failed.is_error


async def test_what_is_no_message_is_answered_and_the_next_one_works(spawn: Spawn) -> None:
    server = await spawn()
    await server.initialize()
    await server.send("this is no JSON")
    assert (await server.next())["error"]["code"] == -32700
    await server.send("[1, 2]")
    assert (await server.next())["error"]["code"] == -32600
    await server.send(
        '{"jsonrpc":"2.0","id":"half","method":"tools/call",'
        '"params":{"name":"get_project","arguments":{"name":"\\ud800"}}}'
    )
    half = await server.next()
    assert (half["id"], half["error"]["code"]) == ("half", -32700)
    await server.send('{"jsonrpc":"2.0","id":8,"method":"ping","params":{"x":"' + "a" * MAX_LINE)
    assert (await server.next())["error"]["code"] == -32600
    assert (await server.request("ping"))["result"] == {}


async def test_listing_tools_starts_no_postgresql(spawn: Spawn, tmp_path: Path) -> None:
    home = tmp_path / "nothing yet"
    server = await spawn(UNDERCROFT_HOME=str(home), UNDERCROFT_DATABASE_URL="")
    await server.initialize()
    assert (await server.request("tools/list"))["result"]["tools"]
    assert (await server.request("resources/templates/list"))["result"]
    server.close_input()
    assert await server.ended() == 0
    assert not home.exists()


async def test_a_client_that_reads_late_gets_every_answer_whole_and_in_order(
    spawn: Spawn,
) -> None:
    server = await spawn()
    await server.initialize()
    asked = [await server.post("tools/list") for _ in range(60)]  # 600 kB: no pipe holds it
    answers = [await server.next() for _ in asked]
    assert sorted(answer["id"] for answer in answers) == asked
    assert all(len(answer["result"]["tools"]) > 10 for answer in answers)


async def test_what_prints_goes_to_stderr(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, threading, time\n"
        "def chatter():\n"
        "    while os.fstat(1).st_ino != os.fstat(2).st_ino: time.sleep(0.01)\n"
        "    print('said by a library', flush=True)\n"
        "    os.write(1, b'written by a library\\n')\n"
        '    os.write(2, b\'{"event": "chattered"}\\n\')\n'
        "threading.Thread(target=chatter, daemon=True).start()\n"
    )
    path = environment(Settings())["PYTHONPATH"]
    server = await spawn(PYTHONPATH=f"{tmp_path}:{path}")
    await server.initialize()
    await server.logged("chattered")
    assert any("said by a library" in line for line in server.noise)
    assert any("written by a library" in line for line in server.noise)
    assert (await server.request("ping"))["result"] == {}


async def test_a_clients_name_is_cleaned_before_it_enters_history(
    spawn: Spawn, project_name: str
) -> None:
    server = await spawn()
    await server.initialize(client="evil\x00\x1b[31m" + "x" * 500)
    await server.call("create_project", name=project_name)
    made = await server.call("create_entity", type="vendor", data={"name": "A", "status": "broken"})
    history = await server.call("get_entity_history", id=made["id"])
    assert history["items"][0]["changed_by"] == "evil[31m" + "x" * 92
