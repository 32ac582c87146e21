"""stdio: one client, one JSON message a line, and nothing else on stdout.

The library's own stdio transport drops answers that are not yet written when the input
ends, says nothing to a line that is no JSON, and has no limit for a line's length.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import select
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import anyio
import structlog
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from undercroft.mcp.lifetime import Lifetime

if TYPE_CHECKING:
    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.server import Server
    from undercroft.settings import Settings

log = structlog.get_logger("undercroft.stdio")

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one message; as much as 60 of the largest records."""

AHEAD = 64
"""Lines that are read before the server takes them."""

ATOMIC = 4096
"""Bytes that a pipe with any room takes without blocking."""

Line = bytes
OVERLONG: Line = b"\n"
"""Stands for a line that was longer than that."""

STREAMS = frozenset({"subscriptions/listen"})
"""Requests that are open as long as their client: the end does not wait for their answers."""


async def serve_stdio(server: Server, boundary: Boundary, settings: Settings) -> None:
    """Serve one client until its end of input, its death, a closed pipe or a signal."""
    reading, writing = _claim(0, os.O_RDONLY), _claim(1, None)
    life = Lifetime(settings.shutdown_timeout, output=writing, client=True)
    ledger = Ledger()
    outbox = Outbox(writing, ledger, life)
    inbox = Inbox(reading, ledger, outbox)
    engine = server.lowlevel
    talk: asyncio.Future[None] = asyncio.ensure_future(
        engine.run(inbox, outbox, engine.create_initialization_options())
    )
    over = asyncio.create_task(_end(life, inbox, ledger, server, boundary))
    await asyncio.wait({talk, over}, return_when=asyncio.FIRST_COMPLETED)
    life.end("end_of_input")
    await over
    # Answers are written by now, or their time is over.
    await asyncio.wait({talk}, timeout=1.0)
    talk.cancel()
    (outcome,) = await asyncio.gather(talk, return_exceptions=True)
    if isinstance(outcome, Exception):
        log.warning("connection_failed", error=type(outcome).__name__)


async def _end(
    life: Lifetime, inbox: Inbox, ledger: Ledger, server: Server, boundary: Boundary
) -> None:
    """At end of input or of life: let calls finish, refuse further ones, then end the input."""
    waits = {asyncio.ensure_future(event.wait()) for event in (life.over, inbox.exhausted)}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if inbox.exhausted.is_set():
        # Every call that will ever come has come: none is refused.
        life.end("end_of_input")
    else:
        boundary.refuse()
    server.end_subscriptions()
    with suppress(TimeoutError):
        async with asyncio.timeout(life.patience):
            await ledger.settled()
    inbox.end()


def _claim(descriptor: int, diversion: int | None) -> int:
    """A descriptor of our own for the wire; the standard one leads elsewhere from now on.

    What reads stdin finds it empty, and what prints goes to stderr: the wire is only ours.
    """
    wire = os.dup(descriptor)
    other = os.dup(2) if diversion is None else os.open(os.devnull, diversion)
    os.dup2(other, descriptor)
    os.close(other)
    return wire


class Ledger:
    """Which requests have come and are not answered yet."""

    def __init__(self) -> None:
        self._open: set[str] = set()
        self._changed = asyncio.Event()

    def note_incoming(self, message: Any) -> None:
        """Open an entry for a request; close it for one that its client has cancelled."""
        if isinstance(message, JSONRPCRequest) and message.method not in STREAMS:
            self._open.add(str(message.id))
        elif _cancels(message):
            self._close(str((message.params or {}).get("requestId")))

    def note_written(self, message: Any) -> None:
        """Close the entry that the message answers."""
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._close(str(message.id))

    def _close(self, request: str) -> None:
        self._open.discard(request)
        self._changed.set()

    async def settled(self) -> None:
        """Return once every request is answered."""
        while self._open:
            self._changed.clear()
            await self._changed.wait()


def _cancels(message: Any) -> bool:
    return isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled"


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
    try:
        return os.read(descriptor, 1 << 16)
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
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        return False
    return True
