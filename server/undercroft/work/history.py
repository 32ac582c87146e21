"""What happened to an item, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from undercroft.db.queries import load_queries
from undercroft.errors import InvalidInput, NotFound
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.work import items
from undercroft.work.fields import item_id
from undercroft.work.fitting import fitted
from undercroft.work.items import bounded
from undercroft.work.models import Version, Written
from undercroft.work.store import SQL as ITEMS
from undercroft.work.store import steadily, why_not, written
from undercroft.work.tree import SQL as TREE

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "history.sql")

NEWEST = 2**31 - 1


async def history(db: Database, item: str, limit: int = 20, cursor: str = "") -> Page[Version]:
    """Versions of an item, newest first."""
    known = item_id(item)
    before = _position(known, cursor)
    rows = await db.fetch(SQL.list_history, known, before, limit + 1)
    if not rows and not cursor:
        raise NotFound(f"There is no work item {known}.", hint="query_work finds items.")
    return page_of(
        [fitted(_version(row)) for row in rows],
        limit=limit,
        position=lambda one: [known, one.version],
    )


def _position(item: str, cursor: str) -> int:
    if not cursor:
        return NEWEST
    owner, version = decode_cursor(cursor, 2)
    if owner != item or not isinstance(version, int) or not 0 < version < NEWEST:
        raise InvalidInput("The cursor does not belong to this item.")
    return version


def _version(row: Any) -> Version:
    new = from_json(row["data"])
    old = from_json(row["previous"]) if row["previous"] else None
    if old is None:
        given = (one for one in new.items() if one != ("claim_epoch", 0))
        changes = {name: value for name, value in given if value not in (None, "", [])}
    else:
        changes = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
    same = ("version", "operation", "changed_by", "agent", "changed_at")
    return Version(**{name: row[name] for name in same}, changes=changes)


async def undo(
    db: Database, item: str, version: int, to_version: int = 0, epoch: int = 0
) -> Written:
    """Take back the change that made `version`, or all since `to_version`.

    Raises:
        Conflict: The item is in another version by now, or somebody else's.
        NotFound: There is no such earlier version.

    """
    known = item_id(item)
    target = bounded(to_version) or bounded(version) - 1
    if target >= version and to_version:
        raise InvalidInput(f"to_version is below {version}: the version to go back to.")
    if target <= 0:
        raise NotFound(f"{known} has no version before {version}.", hint="delete_work removes it.")
    async with db.transaction() as bound:
        await bound.execute(TREE.lock_graph)
        return await _undone(bound, known, version, target, bounded(epoch))


async def _undone(db: Database, known: str, version: int, target: int, epoch: int) -> Written:
    """Fields as they were; a deletion is taken back, or made again, with all that went along."""
    state = await db.fetch_row(SQL.get_deletions, known, target)
    if state is None or state["version"] != version or state["deleted"] == state["was_deleted"]:
        return await _fields(db, known, version, target, epoch)
    if state["deleted"]:
        await items.restore(db, known, version)
        version += 1
    if target < state["version"] - 1:
        version = (await _fields(db, known, version, target, epoch)).version
    if state["was_deleted"]:
        await items.delete(db, known, version)
    return written(await db.fetch_row(ITEMS.get_state, known) or {})


async def _fields(db: Database, known: str, version: int, target: int, epoch: int) -> Written:
    row = await steadily(db, SQL.undo_item, known, version, target, epoch, db.actor)
    if row is None:
        error = await why_not(db, known, version=version, epoch=epoch)
        if error.data.get("version") == version and "changed at this moment" in error.message:
            raise NotFound(f"The history of {known} begins after version {target}.")
        raise error
    return written(row)
