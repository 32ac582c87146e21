"""Claude Code: added with one command, it says that it is connected."""

from __future__ import annotations

from collections.abc import AsyncIterator

from client_checks.frame import SERVER, Bench, Check, last_words, output_of
from client_checks.npm import CLAUDE, with_package
from client_checks.servers import listening


async def checks(bench: Bench) -> AsyncIterator[Check]:
    """`claude mcp add` and `claude mcp list`, over each transport."""
    environment = await with_package(bench, CLAUDE)
    settings = [word for item in bench.server_settings.items() for word in ("-e", "=".join(item))]
    yield await _added(bench, environment, "stdio", [*settings, "--", *SERVER])
    yield await _connected(bench, environment, "stdio")
    if bench.quick:
        return
    for transport, path in (("http", "/mcp"), ("sse", "/sse")):
        async with listening(bench, transport) as address:
            yield await _added(bench, environment, transport, [address + path])
            yield await _connected(bench, environment, transport)


async def _added(
    bench: Bench, environment: dict[str, str], transport: str, target: list[str]
) -> Check:
    name = f"undercroft-{transport}"
    command = ["claude", "mcp", "add", "--transport", transport, name, *target]
    status, out, err = await output_of(command, environment, bench.folder)
    said = last_words(out) or last_words(err)
    return Check(name=f"claude mcp add ({transport})", held=status == 0, detail=said)


async def _connected(bench: Bench, environment: dict[str, str], transport: str) -> Check:
    _, out, err = await output_of(["claude", "mcp", "list"], environment, bench.folder)
    lines = [line for line in out.splitlines() if line.startswith(f"undercroft-{transport}:")]
    held = any("Connected" in line and "✗" not in line for line in lines)
    detail = lines[0][-60:].strip() if lines else last_words(out) or last_words(err)
    return Check(name=f"claude mcp list ({transport}) shows it connected", held=held, detail=detail)
