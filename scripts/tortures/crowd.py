"""Clients that change records through whichever server lives, and repeat what got no answer."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tortures.client import Gone, Server, start_server
from tortures.history import Change
from tortures.scratch import Scratch

PROJECT = "crowd"
AGAIN = ("unavailable", "outcome_unknown", "limit_reached")
DEAF = 0.1
"""Share of the answers that a client never hears, as when a stream breaks."""


@dataclass(kw_only=True)
class Servers:
    """Server processes, replaced as they die."""

    scratch: Scratch
    count: int
    alive: list[Server] = field(default_factory=list)
    killed: int = 0
    _filling: asyncio.Task[None] | None = None
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fill(self) -> None:
        """Start what is missing."""
        async with self._starting:
            while len(self.alive) < self.count:
                with suppress(Gone):
                    self.alive.append(await start_server(self.scratch))

    def drop(self, server: Server) -> None:
        """Use this one no more."""
        if server in self.alive:
            self.alive.remove(server)

    async def any(self) -> Server:
        """A server that lives, as far as we know."""
        while not self.alive:
            await self.fill()
        return random.choice(self.alive)  # noqa: S311 - a die, not a secret

    async def kill_one(self) -> None:
        """Kill one with -9, and start another."""
        server = await self.any()
        self.drop(server)
        await server.kill()
        self.killed += 1
        self._filling = asyncio.create_task(self.fill())

    async def end(self) -> None:
        """Kill all."""
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)
        while self.alive:
            await self.alive.pop().kill()


@dataclass(kw_only=True)
class Crowd:
    """The clients, what they did, and the versions they know of."""

    servers: Servers
    changes: list[Change] = field(default_factory=list)
    known: dict[str, tuple[int, bool]] = field(default_factory=dict)
    """Record → version, and whether it is deleted, as somebody was last told."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    clock: Callable[[], float] = field(default_factory=lambda: asyncio.get_running_loop().time)

    async def client(self, number: int) -> None:
        """Change one thing after the other until told to stop; what was begun is finished."""
        dice = random.Random(number)  # noqa: S311 - a reproducible run, not a secret
        while not self.stop.is_set():
            await self._change(dice)

    async def _change(self, dice: random.Random) -> None:
        token = uuid.uuid4().hex
        tool, arguments = self._choose(dice, token)
        change = Change(token=token, tool=tool, began=self.clock())
        self.changes.append(change)
        body = await self.until_answered(tool, arguments | {"idempotency_key": token}, change, dice)
        change.ended = self.clock()
        change.entity = str(arguments.get("id") or body.get("id") or "")
        if "code" in body:
            change.refusal = body["code"]
            self.known.pop(change.entity, None)
        else:
            change.version = body["version"]
            self.known[change.entity] = (change.version, tool == "delete_entity")

    def _choose(self, dice: random.Random, token: str) -> tuple[str, dict[str, Any]]:
        data = {"title": token, "status": "pending", "priority": "high"}
        if len(self.known) < 20 or dice.random() < 0.25:  # noqa: PLR2004 - a mixture
            return "create_entity", {"project": PROJECT, "type": "task", "data": data}
        entity, (version, deleted) = dice.choice(list(self.known.items()))
        named = {"project": PROJECT, "id": entity, "version": version}
        if deleted:
            return "restore_entity", named
        roll = dice.random()
        if roll < 0.1:  # noqa: PLR2004 - a mixture
            return "delete_entity", named
        if roll < 0.2 and version > 1:  # noqa: PLR2004 - a mixture
            return "undo", named
        return "update_entity", named | {"data": data}

    async def until_answered(
        self, tool: str, arguments: dict[str, Any], change: Change, dice: random.Random
    ) -> dict[str, Any]:
        """Repeat the call under its key until some server says how it ended."""
        while True:
            server = await self.servers.any()
            change.tries += 1
            try:
                body = await server.call(tool, arguments)
            except Gone:
                self.servers.drop(server)
                continue
            if dice.random() < DEAF or body.get("code") in AGAIN:
                continue
            return body
