"""Lines from a client, as the stream of messages that the library reads."""

from __future__ import annotations

import asyncio
import json
import os
import select
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

if TYPE_CHECKING:
    from undercroft.mcp.ledger import Ledger
    from undercroft.mcp.outbox import Outbox

MAX_LINE = 4 * 1024 * 1024
"""Bytes of one message; the arguments of a call have at most a quarter of that."""

AHEAD = 64
"""Lines that are read before the server takes them."""

Line = bytes
OVERLONG: Line = b"\n"
"""Stands for a line that was longer than that."""


class Inbox:
    """The library's stream of messages, from a thread that reads lines."""

    def __init__(self, descriptor: int, ledger: Ledger, outbox: Outbox) -> None:
        self.exhausted = asyncio.Event()
        self._ledger = ledger
        self._outbox = outbox
        self._lines: deque[Line | None] = deque()
        self._arrived = asyncio.Event()
        self._room = threading.Semaphore(AHEAD)
        self._ended = False
        self._loop = asyncio.get_running_loop()
        # A daemon: it may stand in read(2) for ever on a pipe that nobody closes.
        arguments = (descriptor,)
        threading.Thread(target=self._read, args=arguments, name="stdin", daemon=True).start()

    def _read(self, descriptor: int) -> None:
        for line in _lines(descriptor):
            self._room.acquire()
            self._post(line)
        self._post(None)

    def _post(self, line: Line | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has ended
            self._loop.call_soon_threadsafe(self._take, line)

    def _take(self, line: Line | None) -> None:
        self._lines.append(line)
        self._arrived.set()

    def end(self) -> None:
        """Let the reader of this stream see its end."""
        self._ended = True
        self._arrived.set()

    async def receive(self) -> SessionMessage:
        """The next message; what is no message is answered at once.

        Raises:
            EndOfStream: There will be none.

        """
        while True:
            while not self._lines:
                if self._ended:
                    raise anyio.EndOfStream
                self._arrived.clear()
                await self._arrived.wait()
            line = self._lines.popleft()
            if line is None:
                self.exhausted.set()
                continue
            self._room.release()
            message = _parsed(line)
            if not isinstance(message, JSONRPCError):
                self._ledger.note_incoming(message)
                return SessionMessage(message)
            await self._outbox.send(SessionMessage(message))

    async def aclose(self) -> None:
        """Take no more."""
        self.end()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _lines(descriptor: int) -> Iterator[Line]:
    """Lines until the end of input; nothing is kept of one that is too long."""
    kept = bytearray()
    overlong = False
    while chunk := _chunk(descriptor):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            kept += part
            if overlong or kept.strip():
                yield OVERLONG if overlong or len(kept) > MAX_LINE else bytes(kept)
            kept.clear()
            overlong = False
        kept += rest
        if len(kept) > MAX_LINE:
            kept.clear()
            overlong = True
    if kept.strip():
        yield bytes(kept)


def _chunk(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, 1 << 16)
        except BlockingIOError:
            # Whoever shares the descriptor has made it non-blocking.
            select.select([descriptor], [], [])
        except OSError:
            return b""


def _parsed(line: Line) -> Any:
    """A message, or the error that answers what is none."""
    if line is OVERLONG:
        return _refusal(None, INVALID_REQUEST, f"A message has at most {MAX_LINE} bytes.")
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as error:
        kind = error.errors(include_url=False, include_input=False)[0]["type"]
    if kind == "json_invalid":
        # For example half of a surrogate pair, which JavaScript sends without a second thought.
        return _refusal(_id_in(line), PARSE_ERROR, "This line is no JSON, or not in Unicode.")
    return _refusal(_id_in(line), INVALID_REQUEST, "This line is no JSON-RPC message.")


def _id_in(line: bytes) -> str | int | None:
    """The id of a request that cannot be read otherwise, so that its sender need not wait."""
    try:
        found = json.loads(line)["id"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return found if isinstance(found, str | int) and not isinstance(found, bool) else None


def _refusal(request: str | int | None, code: int, message: str) -> JSONRPCError:
    return JSONRPCError(jsonrpc="2.0", id=request, error=ErrorData(code=code, message=message))
