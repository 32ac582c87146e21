"""A server as a process of its own, and a client that speaks bare lines."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from undercroft.settings import Settings

Json = dict[str, Any]
Connect = Callable[[str], Awaitable[asyncpg.Connection]]
SERVER = str(Path(__file__).parents[2] / "server")
PATIENCE = 30.0
"""Seconds that a test waits for what must happen; never slept through."""


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """What a server process needs to use the test's own registry."""
    given = {
        "UNDERCROFT_HOME": str(settings.home),
        "UNDERCROFT_KEY_PROVIDER": "file",
        "UNDERCROFT_DATABASE_URL": settings.database_url,
        "UNDERCROFT_REGISTRY_DATABASE": settings.registry_database,
        "UNDERCROFT_KEY_FOLDER": str(settings.key_folder),
        "UNDERCROFT_TOOLSETS": "all",
        "UNDERCROFT_LOG_FORMAT": "json",
        "PYTHONPATH": os.pathsep.join([SERVER, os.environ.get("PYTHONPATH", "")]),
        "PYTHONUTF8": "1",
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UNDERCROFT_")}
    return kept | given | more


class Process:
    """A process under test with its standard streams."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.noise: list[str] = []
        self._number = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    async def send(self, message: Json | str) -> None:
        assert self.process.stdin
        text = message if isinstance(message, str) else json.dumps({"jsonrpc": "2.0"} | message)
        self.process.stdin.write(text.encode() + b"\n")
        await self.process.stdin.drain()

    async def post(self, method: str, **params: Any) -> int:
        """Send a request without waiting for its answer."""
        self._number += 1
        await self.send({"id": self._number, "method": method, "params": params})
        return self._number

    async def line(self) -> str:
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE):
            return (await self.process.stdout.readline()).decode()

    async def next(self) -> Json:
        """The next message; stdout carries nothing else."""
        text = await self.line()
        assert text, "the server has closed its output"
        message: Json = json.loads(text)
        assert message["jsonrpc"] == "2.0"
        return message

    async def answer_to(self, number: int) -> Json:
        while (message := await self.next()).get("id") != number:
            pass
        return message

    async def request(self, method: str, **params: Any) -> Json:
        return await self.answer_to(await self.post(method, **params))

    async def initialize(self, revision: str = "2025-11-25", client: str = "test") -> Json:
        answer = await self.request(
            "initialize",
            protocolVersion=revision,
            capabilities={},
            clientInfo={"name": client, "version": "1"},
        )
        await self.send({"method": "notifications/initialized"})
        result: Json = answer["result"]
        return result

    async def post_call(self, tool: str, **arguments: Any) -> int:
        return await self.post("tools/call", name=tool, arguments=arguments)

    async def call(self, tool: str, **arguments: Any) -> Json:
        answer = await self.request("tools/call", name=tool, arguments=arguments)
        body: Json = answer["result"]["structuredContent"]
        return body

    def close_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    async def logged(self, event: str) -> Json:
        """The next log line of that event."""
        assert self.process.stderr
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stderr.readline()).decode():
                self.noise.append(line)
                if line.startswith("{") and json.loads(line).get("event") == event:
                    found: Json = json.loads(line)
                    return found
        raise AssertionError(f"{event} was never logged: {self.noise}")

    async def ended(self) -> int:
        """The exit status, once the process has ended by itself."""
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


Spawn = Callable[..., Awaitable[Process]]


@pytest.fixture
async def spawn(settings: Settings, tmp_path: Path) -> AsyncIterator[Spawn]:
    """Start `undercroft`, or another command line; ended by its own id after the test."""
    started: list[Process] = []

    async def spawn(*flags: str, command: list[str] | None = None, **env: Any) -> Process:
        line = command or [sys.executable, "-m", "undercroft", *flags]
        options = {k: env.pop(k) for k in ("stdin", "stdout") if k in env}
        pipes: Json = dict.fromkeys(("stdin", "stdout", "stderr"), asyncio.subprocess.PIPE)
        process = await asyncio.create_subprocess_exec(
            *line,
            env=environment(settings, **env),
            cwd=tmp_path,
            limit=1 << 26,
            start_new_session=True,
            **(pipes | options),
        )
        started.append(Process(process))
        return started[-1]

    yield spawn
    for one in started:
        with suppress(ProcessLookupError):
            one.process.kill()
        await one.process.wait()
        # Closes the pipes; the transport has no public name.
        one.process._transport.close()  # type: ignore[attr-defined]


async def gone(pid: int) -> None:
    """Return once a process that is not our child has ended."""
    with suppress(psutil.NoSuchProcess):
        await asyncio.to_thread(psutil.Process(pid).wait, PATIENCE)


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Wait for a condition that only looking can tell."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await condition()):
            await asyncio.sleep(0.01)
        return found


WAITING = """SELECT pid FROM pg_stat_activity
             WHERE datname = $1 AND wait_event_type = 'Lock' AND query LIKE $2"""


class Obstacle:
    """A lock on one record: whatever writes it waits, visibly, until the lock is let go."""

    def __init__(self, holder: asyncpg.Connection, watcher: asyncpg.Connection, name: str) -> None:
        self._holder = holder
        self._watcher = watcher
        self._database = name

    async def met(self) -> int:
        """The server process of the statement that waits, once one does."""
        return int(await until(self._waiting))

    async def _waiting(self) -> Any:
        return await self._watcher.fetchval(WAITING, self._database, "%workflow.entities%")

    async def left(self) -> None:
        """Return once nothing waits any more."""

        async def nobody() -> bool:
            return await self._waiting() is None

        await until(nobody)

    async def lift(self) -> None:
        await self._holder.execute("ROLLBACK")


@pytest.fixture
def obstruct(connect: Connect) -> Callable[[str, str], Awaitable[Obstacle]]:
    """Lock a record of a database."""

    async def obstruct(database: str, record: str) -> Obstacle:
        holder, watcher = await connect(database), await connect(database)
        await holder.execute("BEGIN")
        await holder.execute(
            "SELECT FROM workflow.entities WHERE id = $1 FOR UPDATE", uuid.UUID(record)
        )
        return Obstacle(holder, watcher, database)

    return obstruct
