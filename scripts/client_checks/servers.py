"""Servers that listen on this machine for the length of a block, ended by their own id."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from client_checks.frame import PATIENCE, SERVER, Bench

FIXTURE = (sys.executable, "-m", "client_checks.fixture")


@asynccontextmanager
async def listening(
    bench: Bench, transport: str, command: Sequence[str] = SERVER
) -> AsyncIterator[str]:
    """The address of a server that runs while the block does: http://127.0.0.1:port."""
    flags = () if command is FIXTURE else ("--transport", transport, "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command,
        *flags,
        env=bench.environment | bench.server_settings,
        cwd=bench.folder,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            port = await _port(process)
        # Its log is read on, or it would stand still once the pipe is full.
        reading = asyncio.create_task(_drain(process))
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    await reading


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr  # noqa: S101 - it was asked for
    said = b""
    while line := await process.stderr.readline():
        said = line
        with suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "listening":
                return int(event["port"])
    raise RuntimeError(f"the server did not start: {said.decode(errors='replace').strip()}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr  # noqa: S101 - it was asked for
    while await process.stderr.read(1 << 16):
        pass
