"""Which requests still wait for their answers: what an orderly end has to wait for."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

STREAMS = frozenset({"subscriptions/listen"})
"""Requests that are open as long as their client: the end does not wait for their answers."""


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
