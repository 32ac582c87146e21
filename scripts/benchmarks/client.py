"""The leanest MCP client over stdio: what it costs itself must not hide what the server costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROTOCOL = "2025-06-18"
SERVE = ("-m", "undercroft")


class Client:
    """One server process and the conversation with it; blocks, as nothing else runs meanwhile."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._id = 0

    def start(self) -> None:
        """Shake hands."""
        me = {"name": "bench", "version": "1"}
        hello = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": me}
        self.ask("initialize", hello)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def list_tools(self) -> list[dict[str, Any]]:
        """What the server offers."""
        tools: list[dict[str, Any]] = self.ask("tools/list", {})["tools"]
        return tools

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One tool call.

        Raises:
            RuntimeError: It failed.

        """
        result = self.ask("tools/call", {"name": tool, "arguments": dict(arguments)})
        if result.get("isError"):
            raise RuntimeError(f"{tool}: {result['content']}")
        structured: dict[str, Any] = result.get("structuredContent") or {}
        return structured

    def begin(self, tool: str, arguments: Mapping[str, Any]) -> None:
        """Ask for a tool and do not wait."""
        self._request("tools/call", {"name": tool, "arguments": dict(arguments)})

    def answer(self) -> None:
        """Take the next answer, whichever call it belongs to.

        Raises:
            RuntimeError: It is a failure.

        """
        while "id" not in (answer := self._receive()):
            pass
        if "error" in answer or answer["result"].get("isError"):
            raise RuntimeError(f"a call failed: {answer}")

    def _request(self, method: str, params: Mapping[str, Any]) -> None:
        self._id += 1
        self._send({"jsonrpc": "2.0", "id": self._id, "method": method, "params": dict(params)})

    def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """A request and its answer; notifications in between are passed over."""
        self._request(method, params)
        while True:
            answer = self._receive()
            if answer.get("id") == self._id:
                break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None  # noqa: S101 - spawned with pipes
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101 - spawned with pipes
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("the server has left")
        message: dict[str, Any] = json.loads(line)
        return message


@contextmanager
def served(
    command: Sequence[str], home: Path, *, cwd: Path | None = None
) -> Iterator[tuple[Client, float]]:
    """A server process, and when it was spawned; it has left when the block ends."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("UNDERCROFT_")}
    environment |= {"UNDERCROFT_HOME": str(home)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (home / "server.log").open("ab") as log:
        spawned = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            cwd=cwd or home,
        )
    try:
        yield Client(process), spawned
        assert process.stdin is not None  # noqa: S101 - spawned with pipes
        process.stdin.close()
        process.wait(30)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
