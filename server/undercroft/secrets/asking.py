"""Asks a person for a secret, on a page that their client shows them.

A person takes as long as they take; a tool's call does not: clients give one up after a minute or
so, and the server has a deadline of its own. So the asking goes on by itself. The call waits a
little, since most people paste at once; then it says that the page is open. A call that comes while
it is open waits on. One that comes after its end asks anew, unless it is the same call once more:
the one that brings the person's reply, or has the idempotency key of one that was told to wait.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import structlog

from undercroft.errors import Conflict
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
    keys: set[str] = field(default_factory=set)
    """Idempotency keys of calls that were told to wait."""

    def serves(self, inquiry: Inquiry) -> bool:
        """Whether what the page takes is stored as this inquiry wants it."""
        own = self.page.inquiry
        return (own.kind, own.expires_days) == (inquiry.kind, inquiry.expires_days)

    def over_for(self, inquiry: Inquiry, person: Person, key: str) -> bool:
        """Whether it has ended and that is told to none but the same call once more."""
        same = key in self.keys or person.brings_reply(self.page.id)
        return self.page.ended.done() and not (same and self.serves(inquiry))


class Asking:
    """Which secrets persons are asked for now, by this server.

    `patience`: seconds that a call waits for a person.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.pages = Pages()
        self._patience = patience
        self._errands: dict[tuple[str, str], _Errand] = {}
        self._ways: set[asyncio.Task[None]] = set()
        self._opening = asyncio.Lock()

    async def ask(
        self,
        inquiry: Inquiry,
        keep: Keep,
        person: Person,
        *,
        key: str = "",
        patience: float | None = None,
    ) -> Outcome:
        """Ask for a secret, or go on waiting for the one that is asked for already.

        `key`: by which the same call once more is known. `patience`: other seconds than usual,
        where a transaction is open meanwhile.

        Raises:
            LimitReached: Too many are asked for at once.
            Conflict: It is asked for already, as another kind or with another expiry.
            Question: The caller is to bring the person's reply with the same call once more.

        """
        errand = await self._errand(inquiry, keep, person, key)
        way = errand.way or self._set_out(errand, person)
        either: set[asyncio.Future[Any]] = {way, errand.page.ended}
        within = self._patience if patience is None else patience
        await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if way.done() and way.exception() is not None:
            # The reply will come with another call, which goes the way anew.
            errand.way = None
            way.result()
        return _so_far(errand, key)

    async def close(self) -> None:
        """Ask nobody any more."""
        await self.pages.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)
        self._errands.clear()

    async def _errand(self, inquiry: Inquiry, keep: Keep, person: Person, key: str) -> _Errand:
        about = (inquiry.project, inquiry.name)
        async with self._opening:
            self._forget()
            known = self._errands.get(about)
            if known is None or known.over_for(inquiry, person, key):
                known = self._errands[about] = _Errand(await self.pages.open(inquiry, keep))
            if not known.serves(inquiry):
                raise _otherwise(known.page.inquiry)
            return known

    def _set_out(self, errand: _Errand, person: Person) -> asyncio.Task[None]:
        way = errand.way = asyncio.create_task(_walk(errand, person))
        self._ways.add(way)
        way.add_done_callback(self._ways.discard)
        return way

    def _forget(self) -> None:
        """Forget what nobody has asked about for long after its end."""
        for about, errand in list(self._errands.items()):
            if errand.page.ended.done() and errand.page.age > 2 * LIFETIME:
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
        unsupported = reply == "unsupported"
        # It has not ended so where the person has sent the form before.
        ended_so = await page.leave("closed" if unsupported else "declined")
        errand.unsupported = unsupported and ended_so
        return
    await asyncio.wait({page.ended})
    await person.finished(page.id)


def _so_far(errand: _Errand, key: str) -> Outcome:
    ending = errand.page.ending
    if ending is None:
        if key:
            errand.keys.add(key)
        return "waiting"
    if ending != "stored":
        # Told once: who calls again after that asks again.
        errand.keys.discard(key)
    return "unsupported" if errand.unsupported else ending


def _otherwise(asked: Inquiry) -> Conflict:
    days = asked.expires_days
    return Conflict(
        f"A person is asked for {asked.name} already, with kind {asked.kind!r} and"
        f" expires_days {days}.",
        hint="Call with these to wait for them, or wait until that page is over.",
    )
