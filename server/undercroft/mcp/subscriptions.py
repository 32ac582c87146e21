"""Who asked to hear of which resource, in the manner of the protocol before 2026-07-28."""

from __future__ import annotations

import weakref
from typing import Any

import structlog

log = structlog.get_logger("undercroft.subscriptions")


class Subscribers:
    """Sessions by the URI they follow; a session that ends falls out by itself."""

    def __init__(self) -> None:
        self._by_uri: dict[str, weakref.WeakSet[Any]] = {}

    def add(self, session: Any, uri: str) -> None:
        """Let a session hear of a resource."""
        self._by_uri.setdefault(uri, weakref.WeakSet()).add(session)

    def remove(self, session: Any, uri: str) -> None:
        """Let it hear no more."""
        sessions = self._by_uri.get(uri)
        if sessions is not None:
            sessions.discard(session)
            if not sessions:
                del self._by_uri[uri]

    async def tell(self, uri: str) -> None:
        """Notify every session that follows the resource; one that is gone is dropped."""
        for session in list(self._by_uri.get(uri, ())):
            try:
                await session.send_resource_updated(uri)
            except Exception as error:  # noqa: BLE001 - a client that left must not fail a write
                log.debug("subscriber_gone", uri=uri, error=type(error).__name__)
                self.remove(session, uri)
