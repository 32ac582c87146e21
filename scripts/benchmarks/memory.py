"""What a server holds when it rests after some work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import psutil

from benchmarks import bare_server
from benchmarks.client import SERVE, Client, served
from benchmarks.figures import Figure, Judgement, bare, ours_alone
from benchmarks.frame import Effort, Sampler, interleave
from benchmarks.ground import DOCUMENT, scratch_home
from undercroft.app.app import TOOLSETS
from undercroft.mcp.toolset import choose

JUDGEMENT = Judgement(
    name="memory at rest",
    meaning="resident memory of the server process after 200 calls, beside a plain MCPServer "
    "after as many (PostgreSQL not counted)",
    unit="MB",
    value_unit="MB",
    target=95.0,
    of=ours_alone,
    baseline=bare,
)
CALLS = 50


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Memory."""
    with scratch_home() as home:
        plain = bare_server.write(choose(TOOLSETS, "default", read_only=False), home)
        effort.tell("memory: servers at work")
        sides = {
            "ours": _resident(SERVE, home, _work),
            "bare": _resident(plain, home, _trivial),
        }
        yield JUDGEMENT.figure(await interleave(sides, rounds=effort.rounds(3), warm=0))


def _resident(command: Sequence[str], home: Path, work: Callable[[Client], None]) -> Sampler:
    async def sample() -> list[float]:
        with served(command, home) as (client, _):
            client.start()
            client.list_tools()
            work(client)
            return [psutil.Process(client.process.pid).memory_info().rss / 1e6]

    return sample


def _work(client: Client) -> None:
    here = {"project": "memory"}
    client.call("create_project", {"name": "memory"})
    for _ in range(CALLS):
        made = client.call("create_entity", here | {"type": "task", "data": DOCUMENT})
        entity = here | {"id": made["id"]}
        client.call("get_entity", entity)
        client.call("update_entity", entity | {"version": 1, "patch": {"status": "blocked"}})
        client.call("query_entities", here | {"type": "task", "where": {"status": "blocked"}})


def _trivial(client: Client) -> None:
    for _ in range(4 * CALLS):
        client.call("get_entity", {"id": "x"})
