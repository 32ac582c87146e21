"""Statements that meet others at the same moment, and why a write found nothing to change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undercroft.db.queries import Query, load_queries
from undercroft.db.sqlstate import sqlstate
from undercroft.errors import Conflict, NotFound, Unavailable, UndercroftError
from undercroft.work.models import Row, Written

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "items.sql")

TURNS = 8
"""How often a statement is tried that only lost to another of the same moment."""
MEETINGS = ("40P01", "40001", "23505")
"""Deadlock, outrun, the same place taken: nothing was changed, and now the way is free."""


async def steadily(db: Database, query: Query, *args: Any) -> Any:
    """The first row of a statement, tried again where it met another."""
    for turn in range(TURNS):
        try:
            if not db.in_transaction:
                return await db.fetch_row(query, *args)
            # A savepoint: the transaction of the caller outlives the failure.
            async with db.transaction() as bound:
                return await bound.fetch_row(query, *args)
        except Unavailable as error:
            if turn == TURNS - 1 or sqlstate(error.__context__ or error) not in MEETINGS:
                raise
    raise AssertionError  # the last turn returns or raises


def written(row: Row) -> Written:
    """The answer to a write."""
    return Written(id=row["id"], kind=row["kind"], version=row["version"], status=row["status"])


async def why_not(
    db: Database, item: str, *, version: int = 0, epoch: int = 0, closing: bool = False
) -> UndercroftError:
    """Why an item could not be changed by one who names this version or epoch."""
    row = await db.fetch_row(SQL.get_state, item)
    if row is None:
        return NotFound(f"There is no work item {item}.", hint="query_work finds items.")
    state = {"status": row["status"], "version": row["version"], "updated_by": row["updated_by"]}
    if row["deleted"]:
        return NotFound(
            f"{item} is deleted.",
            hint=f"restore_work with version {row['version']} brings it back.",
            data=state,
        )
    if (bool(epoch), bool(row["held"])) != (False, False) and not (
        row["held"] and row["claim_epoch"] == epoch
    ):
        return _stale(row, epoch, state) if epoch else _held(row, state)
    if closing:
        return Conflict(
            f"{item} is {row['status']} already.", hint="Nothing was changed.", data=state
        )
    if version and version != row["version"]:
        return Conflict(
            f"{item} is in version {row['version']}, changed by {row['updated_by']}; "
            f"you named {version}.",
            data=state,
        )
    return Conflict(f"{item} changed at this moment.", data=state)


def _stale(row: Row, epoch: int, state: dict[str, Any]) -> Conflict:
    if row["held"]:
        said = f"{row['claim_holder']} has claimed {row['id']} since"
    elif row["claim_holder"] and row["claim_epoch"] == epoch:
        said = f"the time of your claim of {row['id']} is over"
    else:
        said = f"your claim of {row['id']} has ended"
    return Conflict(
        f"Not done: {said}.",
        hint="Nothing was changed. Read the item; claim_work takes it again if it is free.",
        data=state,
    )


def _held(row: Row, state: dict[str, Any]) -> Conflict:
    return Conflict(
        f"{row['claim_holder']} holds {row['id']} until {row['claim_until']:%H:%M:%S} UTC.",
        hint="Pass the epoch of your claim if it is yours; else leave it, or comment_on_work.",
        data=state | {"held_by": row["claim_holder"]},
    )


async def why_not_claimed(db: Database, item: str) -> UndercroftError:
    """Why an item cannot be claimed."""
    row = await db.fetch_row(SQL.get_state, item)
    if row is None or row["deleted"]:
        return await why_not(db, item)
    state = {"status": row["status"], "version": row["version"]}
    if row["held"]:
        return _held(row, state)
    if row["category"] in ("done", "dropped"):
        return Conflict(f"{item} is {row['status']} already.", hint="ready_work.", data=state)
    if row["open_blockers"]:
        return Conflict(
            f"{item} waits for other work.",
            hint="get_work shows what blocks it or its parent; ready_work what can be done now.",
            data=state,
        )
    return Conflict(f"{item} changed at this moment.", hint="Try again.", data=state)
