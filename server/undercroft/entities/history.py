"""What happened to a record: every version with what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import from_json, to_json

from undercroft.entities.changes import differences
from undercroft.entities.models import HistoryEntry
from undercroft.entities.store import SQL, Row, why_not
from undercroft.errors import InvalidInput
from undercroft.paging import Page, decode_cursor, encode_cursor, page_of

if TYPE_CHECKING:
    from undercroft.db.database import Database

MAX_LIMIT = 100
NEWEST = 2**31 - 1

MAX_ENTRY = 16_000
"""Bytes of one version's changes; beyond, their longer values are cut."""
MAX_VALUE = 2_000
SHORT_VALUE = 100
"""Characters of a value's JSON in an entry that is cut."""


async def read(db: Database, entity: UUID, limit: int, cursor: str) -> Page[HistoryEntry]:
    """Versions of a record, newest first.

    Raises:
        NotFound: There never was such a record.
        InvalidInput: The limit or the cursor is wrong.

    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}.")
    before = _position(entity, cursor) if cursor else NEWEST
    rows = await db.fetch(SQL.list_history, entity, before, limit + 1)
    if not rows and not cursor:
        raise why_not(entity, None)
    page = page_of(
        [_entry(row) for row in rows],
        limit=limit,
        position=lambda entry: [str(entity), entry.version],
    )
    if page.next_cursor is None and page.items[-1:] and page.items[-1].version > 1:
        # The database stopped at its own measure of a page; every record begins with version 1.
        return Page(
            items=page.items, next_cursor=encode_cursor([str(entity), page.items[-1].version])
        )
    return page


def _position(entity: UUID, cursor: str) -> int:
    owner, version = decode_cursor(cursor, 2)
    if owner != str(entity) or not isinstance(version, int) or not 0 < version < NEWEST:
        raise InvalidInput(
            "The cursor does not belong to this record.",
            hint="Pass next_cursor back unchanged, or leave it out.",
        )
    return version


def _entry(row: Row) -> HistoryEntry:
    return HistoryEntry(
        version=row["version"],
        operation=row["operation"],
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
        changes=_changes(row),
    )


def _changes(row: Row) -> Sequence[dict[str, Any]]:
    new = from_json(row["data"])
    if row["previous"] is None:
        return _cut([{"path": "", "new": new}])
    return _cut(differences(from_json(row["previous"]), new))


def _cut(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values shortened, the long ones first, until one entry fits into a page with others."""
    for longest in (MAX_VALUE, SHORT_VALUE):
        if len(to_json(changes)) <= MAX_ENTRY:
            return changes
        changes = [_shortened(change, longest) for change in changes]
    if len(to_json(changes)) <= MAX_ENTRY:
        return changes
    return [{"path": "", "cut": True, "places": len(changes)}]


def _shortened(change: dict[str, Any], longest: int) -> dict[str, Any]:
    shortened = dict(change)
    for side in change.keys() & {"old", "new"}:
        text = to_json(change[side]).decode()
        if len(text) > longest:
            shortened[side] = text[:SHORT_VALUE] + "…"
            shortened["cut"] = True
    return shortened
