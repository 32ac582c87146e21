"""Asks a person for a secret, on a page that their client shows them.

A person takes as long as they take; a tool's call does not: clients give one up after a minute or
so, and the server has a deadline of its own. So the asking goes on by itself. The call waits a
little, since most people paste at once; then it says that the page is open, and the same call once
more waits on, or tells how it ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import structlog

from undercroft.person import Person, Question
from undercroft.secrets.page_forms import Inquiry
from undercroft.secrets.pages import LIFETIME, Keep, Page, Pages

Outcome = Literal["stored", "waiting", "declined", "expired", "closed", "unsupported"]
"""What came of asking so far. Closed: by the server's end; unsupported: nobody can be asked."""

PATIENCE = 30.0
"""Seconds that a call waits for a person."""

log = structlog.get_logger("undercroft.asking")


@dataclass(eq=False)
class _Errand:
    """One page, and the way of a person to it."""

    page: Page
    way: asyncio.Task[None] | None = None
    unsupported: bool = False
    told: bool = False
    """Whether a call has said how it ended."""


class Asking:
    """Which secrets persons are asked for now, by this server.

    `patience`: seconds that a call waits for a person.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.pages = Pages()
        self._patience = patience
        self._errands: dict[tuple[str, str], _Errand] = {}
        self._opening = asyncio.Lock()

    async def ask(
        self, inquiry: Inquiry, keep: Keep, person: Person, *, patience: float | None = None
    ) -> Outcome:
        """Ask for a secret, or go on waiting for the one that is asked for already.

        `patience`: other seconds than usual, where a transaction is open meanwhile.

        Raises:
            LimitReached: Too many are asked for at once.
            Question: The caller is to bring the person's reply with the same call once more.

        """
        errand = await self._errand(inquiry, keep)
        if errand.way is None:
            errand.way = asyncio.create_task(_walk(errand, person))
        way = errand.way
        either: set[asyncio.Future[Any]] = {way, errand.page.ended}
        within = self._patience if patience is None else patience
        await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if way.done() and way.exception() is not None:
            # The reply will come with another call, which goes the way anew.
            errand.way = None
            way.result()
        return _so_far(errand)

    async def close(self) -> None:
        """Ask nobody any more."""
        await self.pages.close()
        ways = [errand.way for errand in self._errands.values() if errand.way is not None]
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._errands.clear()

    async def _errand(self, inquiry: Inquiry, keep: Keep) -> _Errand:
        about = (inquiry.project, inquiry.name)
        async with self._opening:
            self._forget()
            if about not in self._errands:
                self._errands[about] = _Errand(await self.pages.open(inquiry, keep))
            return self._errands[about]

    def _forget(self) -> None:
        """Forget what is told, and what nobody has asked about for long after its end."""
        for about, errand in list(self._errands.items()):
            if errand.page.ended.done() and (errand.told or errand.page.age > 2 * LIFETIME):
                del self._errands[about]


async def _walk(errand: _Errand, person: Person) -> None:
    """Send the person to the page and see them off it."""
    page = errand.page
    why = (
        f"Undercroft asks you for the secret {page.inquiry.name} of the project"
        f" {page.inquiry.project}. Enter it on this page; the agent does not see it."
    )
    showing = asyncio.ensure_future(person.show(page.url, why, page.id))
    try:
        either: set[asyncio.Future[Any]] = {showing, page.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        reply = showing.result() if showing.done() else "accepted"
    except Question:
        raise
    except Exception as error:  # noqa: BLE001 - a client's connection may fail in any way
        log.warning("person_not_asked", error=type(error).__name__)
        reply = "unsupported"
    finally:
        # Whoever has been there without waiting to be led is not asked any more.
        showing.cancel()
    if reply != "accepted":
        errand.unsupported = reply == "unsupported"
        page.end("closed" if errand.unsupported else "declined")
        return
    await asyncio.wait({page.ended})
    await person.finished(page.id)


def _so_far(errand: _Errand) -> Outcome:
    ending = errand.page.ending
    if ending is None:
        return "waiting"
    errand.told = True
    return "unsupported" if errand.unsupported else ending
