"""stdio: one client, one JSON message a line, and nothing else on stdout.

The library's own stdio transport drops answers that are not yet written when the input
ends, says nothing to a line that is no JSON, and has no limit for a line's length.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from undercroft.mcp.inbox import Inbox
from undercroft.mcp.ledger import Ledger
from undercroft.mcp.lifetime import Lifetime
from undercroft.mcp.outbox import Outbox

if TYPE_CHECKING:
    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.server import Server
    from undercroft.settings import Settings

log = structlog.get_logger("undercroft.stdio")


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
