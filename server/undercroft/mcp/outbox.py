"""Messages to a client, as lines: whole, in order, and never blocking the event loop."""

from __future__ import annotations

import asyncio
import os
import queue
import select
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio

if TYPE_CHECKING:
    from mcp.shared.message import SessionMessage

    from undercroft.mcp.ledger import Ledger
    from undercroft.mcp.lifetime import Lifetime

ATOMIC = 4096
"""Bytes that a pipe with any room takes without blocking."""


class Outbox:
    """The library's stream of answers: whole lines, in order, never blocking the event loop."""

    def __init__(self, descriptor: int, ledger: Ledger, life: Lifetime) -> None:
        self._descriptor = descriptor
        self._ledger = ledger
        self._life = life
        self._loop = asyncio.get_running_loop()
        self._waiting = 0
        self._jobs: queue.SimpleQueue[tuple[bytes, asyncio.Future[bool]]] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None

    async def send(self, item: SessionMessage) -> None:
        """Write a message.

        Raises:
            BrokenResourceError: Nobody reads any more.

        """
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        line = text.encode("utf-8", "backslashreplace") + b"\n"
        if self._waiting or len(line) > ATOMIC or not self._has_room():
            written = await self._write_in_thread(line)
        else:
            written = _write(self._descriptor, line)
        if not written:
            self._life.end("pipe_closed")
            raise anyio.BrokenResourceError
        self._ledger.note_written(item.message)

    def _has_room(self) -> bool:
        if not hasattr(select, "poll"):
            return False
        poller = select.poll()
        poller.register(self._descriptor, select.POLLOUT)
        return any(events & select.POLLOUT for _, events in poller.poll(0))

    async def _write_in_thread(self, line: bytes) -> bool:
        if self._writer is None:
            self._writer = threading.Thread(target=self._work, name="stdout", daemon=True)
            self._writer.start()
        done: asyncio.Future[bool] = self._loop.create_future()
        self._waiting += 1
        self._jobs.put((line, done))
        # A line once begun is written to its end, whoever stops waiting for it.
        return await asyncio.shield(done)

    def _work(self) -> None:
        while True:
            line, done = self._jobs.get()
            written = _write(self._descriptor, line)
            with suppress(RuntimeError):  # the loop is closed: the server has ended
                self._loop.call_soon_threadsafe(self._finish, done, written)

    def _finish(self, done: asyncio.Future[bool], written: bool) -> None:
        self._waiting -= 1
        if not done.done():
            done.set_result(written)

    async def aclose(self) -> None:
        """Nothing is held back: every line is written or on its way."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _write(descriptor: int, line: bytes) -> bool:
    """Write all of it; whether somebody can read it."""
    rest = memoryview(line)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Whoever shares the descriptor has made it non-blocking.
            select.select([], [descriptor], [])
        except OSError:
            return False
    return True
