"""Claims: an item is one agent's for a while, and every later write names the claim's epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.fields import CLAIMED, filters, holder_of, item_id
from undercroft.work.fitting import fitted
from undercroft.work.items import bounded
from undercroft.work.models import Claimed, Written
from undercroft.work.ready import beneath
from undercroft.work.store import SQL as ITEMS
from undercroft.work.store import steadily, why_not, why_not_claimed, written

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "claims.sql")

DEFAULT_TTL = 900.0
"""Seconds of a claim without a heartbeat."""
MAX_TTL = 86_400.0
LISTED = 200


async def claim(
    db: Database,
    item: str = "",
    *,
    agent: str = "",
    ttl: float = 0,
    where: Mapping[str, Any] | None = None,
) -> Claimed:
    """A given item, or the best one that is ready; no two ever get the same.

    `ttl`: seconds, 0 for `DEFAULT_TTL`. `where`: kind, labels, under.

    Raises:
        Conflict: The given one is held, closed or blocked.
        NotFound: There is no such item, or none is ready.

    """
    seconds = checked_ttl(ttl)
    holder = holder_of(agent, db.actor)
    if item and where:
        raise InvalidInput("where chooses the best item: leave it out, or the id.")
    if item:
        known = item_id(item)
        row = await steadily(db, SQL.claim_item, known, holder, seconds, db.actor)
        if row is None:
            raise await why_not_claimed(db, known)
        return fitted(Claimed.from_row(row))
    found = filters(where or {}, CLAIMED)
    chosen = (found["kind"], found["labels"], await beneath(db, found["under"]))
    row = await steadily(db, SQL.claim_best, holder, seconds, *chosen, db.actor)
    if row is None:
        raise NotFound(
            "Nothing is ready that fits.",
            hint="get_plan shows what is held, and by whom, and what is blocked.",
        )
    return fitted(Claimed.from_row(row))


async def renew(db: Database, item: str, epoch: int, ttl: float = 0) -> Claimed:
    """A heartbeat: `ttl` seconds from now.

    Raises:
        Conflict: Its time was over, or somebody else has claimed it since.

    """
    seconds = checked_ttl(ttl)
    known = item_id(item)
    row = await db.fetch_row(SQL.renew_claim, known, bounded(epoch), seconds)
    if row is None:
        raise await why_not(db, known, epoch=epoch)
    return fitted(Claimed.from_row(row))


async def release(db: Database, item: str, epoch: int, *, force: bool = False) -> Written:
    """Give it back, for others to take; `force`: a person ends somebody else's claim.

    Raises:
        Conflict: The claim is not the one that is named.

    """
    known = item_id(item)
    row = await db.fetch_row(SQL.release_claim, known, bounded(epoch), force, db.actor)
    if row is None:
        if await db.fetch_row(ITEMS.get_state, known) is None:
            raise await why_not(db, known)
        if force or not epoch:
            raise Conflict(f"Nobody holds {known}, or you did not say which claim ends.")
        raise await why_not(db, known, epoch=epoch)
    return written(row)


async def listed(db: Database) -> list[dict[str, Any]]:
    """Who is at what."""
    return fitted([dict(row) for row in await db.fetch(SQL.list_claims, LISTED)])


def checked_ttl(ttl: float) -> float:
    """Seconds that a claim can have.

    Raises:
        InvalidInput: It cannot.

    """
    if not 0 <= ttl <= MAX_TTL:
        raise InvalidInput(f"ttl is 0 (for {DEFAULT_TTL:.0f}) to {MAX_TTL:.0f} seconds.")
    return ttl or DEFAULT_TTL
