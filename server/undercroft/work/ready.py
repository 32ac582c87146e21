"""What can be started now, what waits, and for what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import InvalidInput
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.work.fields import READY, check_limit, filters
from undercroft.work.fitting import fitted
from undercroft.work.models import Blocked, Ready

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "ready.sql")

DAY = 86_400.0


async def ready(
    db: Database, *, where: Mapping[str, Any] | None = None, limit: int = 10
) -> list[Ready]:
    """The best items that nothing blocks and nobody holds.

    `where`: kind, labels, under; assignee: what is another's is left out.
    """
    check_limit(limit)
    found = filters(where or {}, READY)
    rows = await db.fetch(
        SQL.list_ready,
        *(found["kind"], found["labels"], found["assignee"]),
        *(await beneath(db, found["under"]), limit),
    )
    return fitted([_ready(row) for row in rows])


async def beneath(db: Database, item: str) -> list[str] | None:
    """An item and all beneath it; None where none is named, which is no condition."""
    if not item:
        return None
    return [row["id"] for row in await db.fetch(SQL.list_beneath, item)]


def _ready(row: Any) -> Ready:
    same = ("id", "kind", "title", "priority", "version", "assignee")
    return Ready(
        **{name: row[name] for name in same},
        reason="; ".join(_reasons(row)),
        labels=row["labels"] or None,
        due=row["due_at"],
        parent=row["parent_id"],
    )


def _reasons(row: Any) -> list[str]:
    """Why it stands where it stands, in the order in which it counts."""
    found = []
    if row["lost_by"]:
        found.append(f"{row['lost_by']} began it and let the claim run out")
    found.append(f"priority {row['priority']}")
    if row["due_in"] is not None:
        found.append(_due(row["due_in"]))
    if row["unblocks"]:
        found.append(f"{row['unblocks']} others wait for it")
    if row["children"]:
        found.append("all beneath it is closed")
    return [*found, "nothing blocks it"]


def _due(seconds: float) -> str:
    days = abs(seconds) / DAY
    span = f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"  # noqa: PLR2004 - a word's choice
    return f"due in {span}" if seconds >= 0 else f"overdue by {span}"


async def blocked(db: Database, limit: int = 50, cursor: str = "") -> Page[Blocked]:
    """Open items that wait, the most urgent first."""
    check_limit(limit)
    position = _position(cursor)
    rows = await db.fetch(SQL.list_blocked, *position, limit + 1)
    at = {row["id"]: row["created_at"] for row in rows}
    return page_of(
        [_blocked(row) for row in rows],
        limit=limit,
        position=lambda one: [one.priority, at[one.id].isoformat(), one.id],
    )


def _blocked(row: Any) -> Blocked:
    same = ("id", "kind", "title", "priority", "waits_with")
    return Blocked(**{name: row[name] for name in same}, blocked_by=list(row["blocked_by"]) or None)


def _position(cursor: str) -> tuple[int | None, datetime | None, str]:
    if not cursor:
        return None, None, ""
    priority, at, last = decode_cursor(cursor, 3)
    try:
        if isinstance(priority, int) and 0 <= priority <= 4:  # noqa: PLR2004 - as the table has it
            return priority, datetime.fromisoformat(at), str(last)
    except (TypeError, ValueError):
        pass
    raise InvalidInput("The cursor does not belong to this list.")
