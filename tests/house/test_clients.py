"""`scripts/clients` itself, as far as it needs no Node.js."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from client_checks import conformance
from mcp import Client

ROOT = Path(__file__).parents[2]


async def test_the_fixture_answers_as_the_conformance_suite_wants() -> None:
    path = os.pathsep.join([str(ROOT / "server"), str(ROOT / "scripts")])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "client_checks.fixture"),
        env=os.environ | {"PYTHONPATH": path},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    try:
        async with asyncio.timeout(30):
            port = json.loads(await process.stderr.readline())["port"]
            async with Client(f"http://127.0.0.1:{port}/mcp") as client:
                text = await client.call_tool("test_simple_text", {})
                assert text.structured_content == {
                    "text": "This is a simple text response for testing."
                }
                assert (await client.call_tool("test_error_handling", {})).is_error
                data = await client.read_resource("test://template/123/data")
                assert "123" in data.contents[0].model_dump()["text"]
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


def test_a_scenario_is_either_run_or_excused() -> None:
    assert not conformance.ONLY_FIXTURE & set(conformance.NOT_OFFERED)
    assert all(conformance.NOT_OFFERED.values())
