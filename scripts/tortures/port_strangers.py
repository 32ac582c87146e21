"""Foreign programs that take ports and ask nobody, over every family and protocol."""

from __future__ import annotations

import asyncio
import math
import random
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

KINDS: dict[str, tuple[socket.AddressFamily, socket.SocketKind, str]] = {
    "TCP on all of IPv4": (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0"),  # noqa: S104 - as servers do
    "TCP on 127.0.0.1": (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1"),
    "UDP on 127.0.0.1": (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1"),
    "TCP on ::1": (socket.AF_INET6, socket.SOCK_STREAM, "::1"),
    "UDP on ::1": (socket.AF_INET6, socket.SOCK_DGRAM, "::1"),
}


@dataclass(kw_only=True)
class Stay:
    """A foreign program on a port, by the machine's clock."""

    port: int
    kind: str
    began: float
    ended: float = math.inf


@dataclass(kw_only=True)
class Strangers:
    """Programs that come and go in one range."""

    first: int
    last: int
    dice: random.Random
    stays: list[Stay] = field(default_factory=list)

    async def one(self) -> None:
        """One after the other, for a while each."""
        while True:
            port = self.dice.randint(self.first, self.last)
            kind = self.dice.choice([*KINDS])
            with suppress(OSError):
                await self._stay(port, kind)
            await asyncio.sleep(self.dice.uniform(0, 0.05))

    async def _stay(self, port: int, kind: str) -> None:
        family, protocol, address = KINDS[kind]
        with socket.socket(family, protocol) as program:
            program.bind((address, port))
            if protocol == socket.SOCK_STREAM:
                program.listen()
            stay = Stay(port=port, kind=kind, began=time.time())
            self.stays.append(stay)
            try:
                await asyncio.sleep(self.dice.uniform(0.1, 1.5))
            finally:
                stay.ended = time.time()

    @asynccontextmanager
    async def about(self, many: int) -> AsyncIterator[None]:
        """So many at once for the length of the block."""
        tasks = [asyncio.create_task(self.one()) for _ in range(many)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
