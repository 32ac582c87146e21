"""From spawning the server to its list of tools, against a plain server with as many tools."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from benchmarks import bare_server
from benchmarks.client import SERVE, served
from benchmarks.figures import Figure, Judgement, bare, times_bare
from benchmarks.frame import Effort, Sampler, interleave
from benchmarks.ground import scratch_home
from undercroft.app.app import TOOLSETS
from undercroft.mcp.toolset import choose

JUDGEMENT = Judgement(
    name="spawn to tools/list",
    meaning="from spawning to the answer of tools/list, against a plain MCPServer with as many "
    "trivial tools of the same signatures",
    unit="ms",
    value_unit="x",
    target=1.15,
    of=times_bare,
    baseline=bare,
)


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Start-up."""
    with scratch_home() as home:
        catalog = choose(TOOLSETS, "default", read_only=False)
        plain = bare_server.write(catalog, home)
        effort.tell("listing: spawning servers")
        sides = {
            "ours": spawned(SERVE, home, len(catalog.tools)),
            "bare": spawned(plain, home, len(catalog.tools)),
        }
        yield JUDGEMENT.figure(await interleave(sides, rounds=effort.rounds(30, 5), warm=2))


def spawned(command: Sequence[str], home: Path, tools: int) -> Sampler:
    """Milliseconds from spawning to a full list."""

    async def sample() -> list[float]:
        with served(command, home) as (client, start):
            client.start()
            listed = client.list_tools()
            took = (time.perf_counter() - start) * 1000
        if len(listed) != tools:
            raise RuntimeError(f"{len(listed)} tools listed, not {tools}")
        return [took]

    return sample
