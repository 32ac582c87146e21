"""The person behind a caller, whom a tool may send to a page."""

from __future__ import annotations

from typing import Literal, Protocol

Reply = Literal["accepted", "declined", "cancelled", "unsupported"]
"""What came of showing a page. Accepted: the person goes there, and may not have been there yet."""


class Person(Protocol):
    """Whoever sits before the caller, if anybody does."""

    async def show(self, url: str, why: str, page: str) -> Reply:
        """Send them to a page; returns what they say to that, however long it takes.

        `page` names it within this server in all that is said of it, and lets nobody in.

        Raises:
            Question: The caller is to bring the reply with the same call once more.

        """

    async def finished(self, page: str) -> None:
        """Let the caller know that they are done with the page."""


class Nobody:
    """Nobody can be asked: a program, a client far away, or one that cannot show a page."""

    async def show(self, url: str, why: str, page: str) -> Reply:  # noqa: ARG002 - nobody reads it
        """Show nothing."""
        return "unsupported"

    async def finished(self, page: str) -> None:
        """Tell nobody."""


class Question(Exception):
    """The call's answer is a question, to be answered with the same call once more."""

    def __init__(self, url: str, why: str, page: str) -> None:
        super().__init__(page)
        self.url = url
        self.why = why
        self.page = page
