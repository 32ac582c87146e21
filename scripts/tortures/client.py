"""MCP clients over stdio that outlive their servers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tortures.scratch import Scratch

HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "torture", "version": "1"},
}
LINE = 2**22


class Gone(Exception):
    """The server died before it answered."""


@dataclass(kw_only=True, eq=False)
class Server:
    """One server process and the calls that wait for its answers."""

    process: asyncio.subprocess.Process
    _waiting: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _last: int = 0
    _reader: asyncio.Task[None] | None = None

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a tool's answer, a failure's as well.

        Raises:
            Gone: There is none, and there will be none.

        """
        result = await self.ask("tools/call", {"name": tool, "arguments": dict(arguments)})
        body: dict[str, Any] = json.loads(result["content"][0]["text"])
        return body

    async def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        """A request and its answer."""
        self._last += 1
        number = self._last
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        if self._reader is not None and self._reader.done():
            raise Gone
        return await answer

    async def _send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None  # noqa: S101 - spawned with pipes
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()
        except OSError:
            raise Gone from None

    async def shake_hands(self) -> None:
        """Begin the conversation."""
        self._reader = asyncio.create_task(self._read())
        await self.ask("initialize", HELLO)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - spawned with pipes
        try:
            while said := await self.process.stdout.readline():
                message = json.loads(said)
                answer = self._waiting.pop(message.get("id", 0), None)
                if answer is not None and not answer.done():
                    answer.set_result(message.get("result") or _as_result(message))
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(Gone())
            self._waiting.clear()

    async def kill(self) -> None:
        """Kill it with -9."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


def _as_result(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": [{"text": json.dumps({"code": "protocol", "message": message["error"]})}]}


async def start_server(
    scratch: Scratch,
    *,
    kind: type[Server] = Server,
    noise: Path | None = None,
    **environment: str,
) -> Server:
    """A server process of its own, with the run's planted fault if there is one.

    `noise`: a file for its log.
    """
    module = ["tortures.planted", scratch.fault] if scratch.fault else ["undercroft"]
    with (noise or Path(os.devnull)).open("ab") as stderr:
        process = await _spawn(scratch, module, stderr, environment)
    scratch.started.append(process.pid)
    server = kind(process=process)
    await server.shake_hands()
    return server


async def _spawn(
    scratch: Scratch, module: list[str], stderr: Any, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *module,
        env=os.environ
        | {"UNDERCROFT_HOME": str(scratch.home), "UNDERCROFT_TOOLSETS": "all"}
        | {"UNDERCROFT_KEY_FOLDER": str(scratch.keys)}
        | {"UNDERCROFT_LOG_LEVEL": "error"}
        | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
        limit=LINE,
    )
