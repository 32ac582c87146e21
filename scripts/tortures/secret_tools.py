"""Values on every way through the tools, right and wrong, over servers that log all they can."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tortures.client import Server, start_server
from tortures.scratch import Scratch
from tortures.secret_canaries import canary

ELICITING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"elicitation": {"form": {}, "url": {}}},
    "clientInfo": {"name": "torture", "version": "1"},
}


@dataclass(kw_only=True)
class Told:
    """What was said to whom: every answer is searched, but for those that a person allowed."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)
    """Values that must be found nowhere, by what they are called."""
    answers: int = 0
    refused: int = 0
    allowed: int = 0
    """Answers that carry a value because a person had said so."""
    wrong: list[str] = field(default_factory=list)

    def fresh(self) -> str:
        """A value that nobody has had."""
        value = canary()
        self.values[f"value {len(self.values)}"] = value
        return value

    def hear(self, answer: Mapping[str, Any], *, allowed: str = "", mended: bool = True) -> None:
        """Keep an answer for the search; without the value that was allowed.

        `mended`: whether the server has no reason to make a mistake.
        """
        text = json.dumps(answer)
        if allowed:
            self.allowed += allowed in text
            text = text.replace(allowed, "")
        self.answers += 1
        self.refused += "code" in answer
        if answer.get("code") == "internal" and mended:
            self.wrong.append(text[:200])
        with (self.folder / "tools.answers").open("a") as file:
            file.write(text + "\n")


class Eliciting(Server):
    """A client whose person fills in pages: wrongly at first, then with the value."""

    value = ""

    async def _read(self) -> None:
        assert self.process.stdout is not None  # noqa: S101 - spawned with pipes
        while said := await self.process.stdout.readline():
            message = json.loads(said)
            if message.get("method") == "elicitation/create":
                await asyncio.to_thread(self._visit, message["params"]["url"])
                reply = {"jsonrpc": "2.0", "id": message["id"], "result": {"action": "accept"}}
                await self._send(reply)
            elif (answer := self._waiting.pop(message.get("id", 0), None)) is not None:
                answer.set_result(message.get("result") or {"content": [{"text": "{}"}]})

    def _visit(self, url: str) -> None:
        for action, headers in (
            ("nonsense", {}),
            ("store", {"Origin": "http://evil.example"}),
            ("store", {"Content-Type": "text/plain"}),
            ("store", {}),
            ("store", {}),
        ):
            body = urlencode({"value": self.value, "action": action}).encode()
            asked = Request(url, body, headers)  # noqa: S310 - our own server
            try:
                with urlopen(asked) as answer:  # noqa: S310 - as above
                    answer.read()
            except HTTPError as refused:
                refused.close()

    async def shake_hands(self) -> None:
        """Begin the conversation as a client that shows pages."""
        self._reader = asyncio.create_task(self._read())
        await self.ask("initialize", ELICITING)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})


Way = Callable[[Server, Told, int], Awaitable[None]]


async def _ask(server: Server, told: Told, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await server.call(tool, arguments)
    told.hear(answer)
    return answer


async def _store(server: Server, told: Told, number: int) -> None:
    await _ask(server, told, "store_secret", name=f"S{number}", value=told.fresh())
    await _ask(server, told, "store_secret", name=f"S{number}", value=told.fresh(), kind="password")
    await _ask(server, told, "get_secret", name=f"S{number}")


async def _with_key(server: Server, told: Told, number: int) -> None:
    value, key = told.fresh(), f"key-{number}"
    for given in (value, value, told.fresh()):
        arguments = {"name": f"K{number}", "value": given, "idempotency_key": key}
        await _ask(server, told, "store_secret", **arguments)


async def _wrongly(server: Server, told: Told, number: int) -> None:
    """Every mistake that a caller can make around a value."""
    for mistake in (
        {"name": told.fresh(), "value": told.fresh()},
        {"name": "PATH", "value": told.fresh()},
        {"name": f"W{number}", "value": told.fresh() + "x" * 70_000},
        {"name": f"W{number}", "value": told.fresh() + "\0"},
        {"name": f"W{number}", "value": [told.fresh()]},
        {"name": f"W{number}", "value": {"value": told.fresh()}},
        {"name": f"W{number}", "valeu": told.fresh()},
        {"name": f"W{number}", "value": told.fresh(), "kind": "ssh_key"},
        {"name": f"W{number}", "value": told.fresh(), "kind": "nonsense"},
        {"name": f"W{number}", "value": told.fresh(), "expires_days": -1},
        {"name": f"W{number}", "value": told.fresh(), "project": "nowhere"},
        {"name": f"W{number}", "value": told.fresh(), "idempotency_key": "k" * 300},
    ):
        await _ask(server, told, "store_secret", **mistake)
    await _ask(server, told, "stor_secret", name="A", value=told.fresh())
    await _ask(server, told, "get_secret", name=told.fresh())


async def _refused_by_postgres(server: Server, told: Told, number: int) -> None:
    """The database refuses the row, and says so in its own log: names of BAD… meet a trigger."""
    for key in ("", f"bad-{number}"):
        wanted = {"name": f"BAD{number}", "value": told.fresh(), "idempotency_key": key}
        told.hear(await server.call("store_secret", wanted), mended=False)


async def _revealed(server: Server, told: Told, number: int) -> None:
    value = told.fresh()
    await _ask(server, told, "store_secret", name=f"R{number}", value=value)
    await _ask(server, told, "get_secret", name=f"R{number}", reveal=True)
    await _ask(server, told, "delete_secret", name=f"R{number}")
    await _ask(server, told, "get_secret", name=f"R{number}", reveal=True)
    await _ask(server, told, "restore_secret", name=f"R{number}")
    await _ask(server, told, "rotate_secret", name=f"R{number}")
    await _ask(server, told, "schedule_rotation", name=f"R{number}", every_days=30)


async def _cancelled(server: Server, told: Told, number: int) -> None:
    asked = server.ask(
        "tools/call",
        {"name": "store_secret", "arguments": {"name": f"C{number}", "value": told.fresh()}},
    )
    task = asyncio.ensure_future(asked)
    await asyncio.sleep(0)
    await server._send(  # noqa: SLF001 - a client that gives up
        {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": server._last},  # noqa: SLF001 - as above
        }
    )
    await asyncio.wait({task}, timeout=0.2)
    task.cancel()


async def _looked_at(server: Server, told: Told, number: int) -> None:
    for tool in ("list_secrets", "get_secret_access_log", "list_secret_templates"):
        await _ask(server, told, tool)
    await _ask(server, told, "generate_secret", name=f"G{number}", kind="password")
    await _ask(server, told, "generate_secret", name=f"G{number}", kind="nonsense")
    await _ask(server, told, "rotate_secret", name=f"G{number}")


WAYS: tuple[Way, ...] = (
    _store,
    _with_key,
    _wrongly,
    _refused_by_postgres,
    _revealed,
    _cancelled,
    _looked_at,
)


@asynccontextmanager
async def _server(place: Scratch, kind: type[Server], **environment: str) -> AsyncIterator[Server]:
    log = place.home.parent / "searched" / f"server-{kind.__name__}.log"
    server = await start_server(place, kind=kind, noise=log, **environment)
    try:
        yield server
    finally:
        await server.kill()


async def through_tools(place: Scratch, told: Told, project: str, values: int) -> None:
    """Every way in turn until so many values went in; some by a person's page."""
    environment = {"UNDERCROFT_LOG_LEVEL": "debug", "UNDERCROFT_PROJECT": project}
    async with _server(place, Server, **environment) as server:
        number = 0
        while len(told.values) < values:
            await WAYS[number % len(WAYS)](server, told, number)
            number += 1
        await _allowed(place, server, told, project)
        await _ask(server, told, "rotate_encryption_key")
    async with _server(place, Eliciting, **environment, PYTHONASYNCIODEBUG="1") as asking:
        for number in range(max(2, values // 100)):
            assert isinstance(asking, Eliciting)  # noqa: S101 - made as one
            asking.value = told.fresh()
            await _ask(asking, told, "store_secret", name=f"P{number}")


async def _allowed(place: Scratch, server: Server, told: Told, project: str) -> None:
    """The only way by which a value may leave: a person has allowed it."""
    value = told.fresh()
    await _ask(server, told, "store_secret", name="SHOWN", value=value)
    async with place.app() as app:
        await (await app.secrets(project)).allow_reveal("SHOWN", once=True)
    answer = await server.call("get_secret", {"name": "SHOWN", "reveal": True})
    told.hear(answer, allowed=value)
    await _ask(server, told, "get_secret", name="SHOWN", reveal=True)
