"""Where the values of one-time pages go in a test."""

from __future__ import annotations

import asyncio

from undercroft.secrets.page_forms import Inquiry

ASKED = Inquiry(name="STRIPE_KEY", project="shop", asker="claude-code", note="for the tests")


class Safe:
    """Where values go."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def keep(self, value: str) -> None:
        self.reached.set()
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        self.kept.append(value)
