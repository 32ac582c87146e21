"""One-time pages on loopback, on which a person gives a secret that the conversation never sees.

A page can only take a value, never show one. Its address holds a token of 256 bits, which is what
lets one in: who does not know it can neither see the form nor send it, so no other page in the
browser can forge a request (the checks of Host and Origin stand before it all the same). The
server listens on 127.0.0.1 alone, on a port of the kernel's choice, and only while a page is open.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import structlog

from undercroft.errors import LimitReached
from undercroft.secrets.page_answers import answer, refuse
from undercroft.secrets.page_http import MAX_HEAD, Refused, read_request

if TYPE_CHECKING:
    from undercroft.secrets.page_forms import Inquiry

Keep = Callable[[str], Awaitable[None]]
"""Stores a value. An `UndercroftError` of its is shown to the person, who may try again."""
Ending = Literal["stored", "declined", "expired", "closed"]

LIFETIME = 600.0
"""Seconds that a page waits for its person."""
LINGER = 60.0
"""Seconds that the server outlives its last page, to say that it has been used."""
DEADLINE = 15.0
"""Seconds that one connection may take to send its request."""
MAX_OPEN = 16
"""Pages that are open at once."""
MAX_CONNECTIONS = 32
REMEMBERED = 1_000
"""Pages whose end is remembered while the server lives."""

log = structlog.get_logger("undercroft.pages")


class Page:
    """One question to one person, until it is answered or over."""

    def __init__(self, inquiry: Inquiry, keep: Keep, url: str) -> None:
        self.id = secrets.token_urlsafe(12)
        """Names the page without letting anybody in."""
        self.inquiry = inquiry
        self.url = url
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._keep = keep
        self._keeping = asyncio.Lock()
        self._until = asyncio.get_running_loop().time() + LIFETIME
        self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._until, self.end, "expired")

    @property
    def ending(self) -> Ending | None:
        """How it ended; None while it waits."""
        return self.ended.result() if self.ended.done() else None

    @property
    def age(self) -> float:
        """Seconds since it was opened."""
        return LIFETIME - (self._until - asyncio.get_running_loop().time())

    @property
    def minutes_left(self) -> int:
        """How long it still waits, in whole minutes, at least one."""
        return max(1, round((self._until - asyncio.get_running_loop().time()) / 60))

    def end(self, ending: Ending) -> None:
        """End it, once: what comes later changes nothing."""
        if not self.ended.done():
            self._timer.cancel()
            self.ended.set_result(ending)

    async def take(self, value: str) -> bool:
        """Store the value, once; whether the page was still open for it.

        Raises:
            UndercroftError: It could not be stored; the page stays open.

        """
        async with self._keeping:
            if self.ended.done():
                return False
            # Whoever has sent it in time is not told that the time was over.
            self._timer.cancel()
            try:
                await self._keep(value)
            except BaseException:
                self._arm()
                raise
            self.end("stored")
            return True

    async def decline(self) -> bool:
        """End it without a value; whether it was still open for that."""
        async with self._keeping:
            was_open = not self.ended.done()
            self.end("declined")
            return was_open


class Pages:
    """The pages that are open in this process, and the server that shows them."""

    def __init__(self) -> None:
        self._pages: dict[bytes, Page] = {}
        self._server: asyncio.Server | None = None
        self._starting = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()
        self._closing: asyncio.TimerHandle | None = None
        self._stopping: asyncio.Future[None] | None = None

    async def open(self, inquiry: Inquiry, keep: Keep) -> Page:
        """A page for the inquiry, at an address that nobody can guess.

        Raises:
            LimitReached: Too many are open.

        """
        async with self._starting:
            if self._waiting() >= MAX_OPEN:
                raise LimitReached(
                    f"{MAX_OPEN} secrets are asked for at once.",
                    hint="Wait until a person has answered some.",
                )
            port = await self._listen()
        token = secrets.token_urlsafe(32)
        page = Page(inquiry, keep, f"http://127.0.0.1:{port}/{token}")
        self._pages[_digest(token)] = page
        page.ended.add_done_callback(lambda _: self._outlive(page))
        return page

    async def close(self) -> None:
        """End every page and the server at once."""
        for page in self._pages.values():
            page.end("closed")
        await self._stop()

    async def _listen(self) -> int:
        """The port of the server, which is started if it is not there."""
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", 0, limit=MAX_HEAD, backlog=MAX_CONNECTIONS
            )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _outlive(self, page: Page) -> None:
        log.info("page_ended", ending=page.ending, name=page.inquiry.name)
        if self._server and not self._waiting():
            if self._closing is not None:
                self._closing.cancel()
            self._closing = asyncio.get_running_loop().call_later(LINGER, self._begin_to_stop)
        for token, one in list(self._pages.items())[:-REMEMBERED]:
            if one.ended.done():
                del self._pages[token]

    def _waiting(self) -> int:
        return sum(not page.ended.done() for page in self._pages.values())

    def _begin_to_stop(self) -> None:
        self._stopping = asyncio.ensure_future(self._stop_if_idle())

    async def _stop_if_idle(self) -> None:
        # A page may have been opened in the last moment.
        if not self._waiting():
            await self._stop()

    async def _stop(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        server, self._server = self._server, None
        self._pages.clear()
        if server is None:
            return
        server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._connections) >= MAX_CONNECTIONS or self._server is None:
            writer.transport.abort()
            return
        self._connections.add(task)
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, TimeoutError):
            log.debug("page_connection_lost")
        except asyncio.CancelledError:
            # The server's end; its own task, which nobody else waits for, ends with it.
            writer.transport.abort()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                request = await read_request(reader)
            said = await answer(request, writer.get_extra_info("sockname")[1], self._page)
        except Refused as refusal:
            said = refuse(refusal.status)
        writer.write(said)
        async with asyncio.timeout(DEADLINE):
            await writer.drain()

    def _page(self, token: str) -> Page | None:
        """The page of that token; every one is compared, and in constant time."""
        asked, found = _digest(token), None
        for known, page in self._pages.items():
            if hmac.compare_digest(known, asked):
                found = page
        return found


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
