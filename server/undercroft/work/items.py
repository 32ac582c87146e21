"""Single items: made, read, changed, finished, put away, linked, talked about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from undercroft.errors import Conflict, InvalidInput, NotFound, Unavailable
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.work.fields import (
    QUERIED,
    as_json,
    check_limit,
    checked,
    filters,
    holder_of,
    item_id,
    optional_id,
)
from undercroft.work.fitting import fitted
from undercroft.work.models import Comment, Item, Link, Summary, Touched, Written
from undercroft.work.store import SQL, TURNS, steadily, why_not, written

if TYPE_CHECKING:
    from undercroft.db.database import Database

TEXTS = ("description", "outcome")
COMMENTS = 10
"""Comments that are shown with an item."""
LINKS = ("blocks", "relates", "duplicates", "discovered_from")
BACKWARDS = {"blocked_by": "blocks", "duplicated_by": "duplicates", "led_to": "discovered_from"}
"""The same links, told from their other end."""


async def create(db: Database, title: str, parent: str, fields: Mapping[str, Any]) -> Written:
    """Make one item, the last of its parent's children."""
    given = checked({**fields, "title": title})
    await check_entities(db, given)
    above = optional_id(parent) or None
    text = as_json(given)
    for _ in range(TURNS):
        row = await steadily(db, SQL.insert_item, above, text, db.actor)
        if row is not None:
            return written(row)
    raise Unavailable("Others made siblings at the same place again and again.")


async def check_entities(db: Database, fields: Mapping[str, Any]) -> None:
    """Refuse links to records that do not exist."""
    wanted = fields.get("entities")
    if wanted and await db.fetch_value(SQL.count_entities, wanted) != len(set(wanted)):
        raise NotFound("A record of `entities` does not exist.", hint="query_entities finds them.")


async def get(db: Database, item: str, *, comments: int = COMMENTS) -> Item:
    """An item with all around it, as an answer can hold it."""
    return _told(await read(db, item, comments=comments))


async def read(db: Database, item: str, *, comments: int | None = None) -> Item:
    """The same whole; `comments`: how many of the latest, None for all."""
    known = item_id(item)
    row = await db.fetch_row(SQL.get_item, known, comments)
    if row is None:
        raise NotFound(f"There is no work item {known}.", hint="query_work finds items.")
    return Item.from_row(row)


def _told(item: Item) -> Item:
    shown = fitted(item)
    cut = [name for name, value in vars(item).items() if getattr(shown, name) != value]
    return replace(shown, shortened=cut or None)


async def _check_whole(db: Database, item: str, fields: Mapping[str, Any]) -> None:
    """Refuse what `get` has shortened, come back: the rest of it would be lost."""
    cut = {name: fields.get(name) or "" for name in TEXTS}
    cut = {name: text for name, text in cut.items() if text.endswith("…")}
    row = await db.fetch_row(SQL.get_item, item, 0) if cut else None
    for name, text in cut.items():
        if row and text != row[name] and row[name].startswith(text[:-1]):
            raise InvalidInput(
                f"This {name} was shortened: written back, the rest of it would be lost.",
                hint=f"`undercroft work show {item}` has it whole.",
            )


async def update(
    db: Database, item: str, fields: Mapping[str, Any], version: int, epoch: int
) -> Written:
    """Change some fields."""
    known = item_id(item)
    if not fields:
        raise InvalidInput("There is nothing to change.", hint="fields: {title, status, …}.")
    numbers = versioned(version, epoch)
    given = checked(fields)
    if "external_ref" in given:
        raise InvalidInput("external_ref is set once, when an item is made.")
    await check_entities(db, given)
    await _check_whole(db, known, given)
    row = await steadily(db, SQL.update_item, known, as_json(given), *numbers, db.actor)
    if row is None:
        raise await why_not(db, known, version=version, epoch=epoch)
    return written(row)


def versioned(version: int, epoch: int) -> tuple[int, int]:
    """By what a caller may change an item.

    Raises:
        InvalidInput: Neither was named, or one is none.

    """
    if not version and not epoch:
        raise InvalidInput(
            "Give the version that you read, or the epoch of your claim.",
            hint="get_work shows the version.",
        )
    return bounded(version), bounded(epoch)


def bounded(number: int) -> int:
    """A version or an epoch that PostgreSQL can hold; anything else fits nothing.

    Raises:
        InvalidInput: It is none.

    """
    if not 0 <= number < 2**31 - 1:
        raise InvalidInput("version and epoch are numbers as they were told, from 1.")
    return number


async def finish(db: Database, item: str, epoch: int, status: str, outcome: str) -> Written:
    """Close an open item, or leave it in another status."""
    known = item_id(item)
    given = checked({"outcome": outcome} | ({"status": status} if status else {}))
    row = await steadily(
        db,
        SQL.finish_item,
        *(known, bounded(epoch), given.get("status", ""), given["outcome"], db.actor),
    )
    if row is None:
        raise await why_not(db, known, epoch=epoch, closing=True)
    return written(row)


async def query(  # noqa: PLR0913 - what a question consists of
    db: Database,
    *,
    text: str = "",
    where: Mapping[str, Any] | None = None,
    open_only: bool = False,
    hidden: bool = False,
    limit: int = 50,
    cursor: str = "",
) -> Page[Summary]:
    """Items by their fields, the latest change first.

    `hidden`: archived and deleted ones too; for agents a condition, {"hidden": true}.
    """
    check_limit(limit)
    asked = dict(where or {})
    hidden = hidden or asked.pop("hidden", False) is True
    found = filters(asked, QUERIED)
    at, last = _position(cursor)
    rows = await db.fetch(
        SQL.query_items,
        *(found["status"], found["kind"], found["labels"], found["assignee"], found["parent"]),
        *(_like(text), at, last, hidden, open_only, limit + 1, text),
    )
    return page_of(
        [_summary(row) for row in rows],
        limit=limit,
        position=lambda one: [one.updated_at.isoformat(), one.id],
    )


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _position(cursor: str) -> tuple[datetime | None, str]:
    if not cursor:
        return None, ""
    at, last = decode_cursor(cursor, 2)
    try:
        return datetime.fromisoformat(at), str(last)
    except (TypeError, ValueError):
        raise InvalidInput("The cursor does not belong to this list.") from None


def _summary(row: Any) -> Summary:
    same = ("id", "kind", "title", "status", "priority", "version", "updated_at", "assignee")
    return Summary(
        **{name: row[name] for name in same},
        labels=row["labels"] or None,
        due=row["due_at"],
        parent=row["parent_id"],
    )


async def delete(db: Database, item: str, version: int) -> Touched:
    """Delete an item and all beneath it; restoring brings them back."""
    known = item_id(item)
    row = await steadily(db, SQL.delete_item, known, bounded(version), db.actor, "")
    if row[0] is None:
        raise await why_not(db, known, version=version)
    return Touched(items=row[0])


async def restore(db: Database, item: str, version: int) -> Touched:
    """Bring back an item and what was deleted with it."""
    known = item_id(item)
    row = await steadily(db, SQL.restore_item, known, bounded(version), db.actor, "")
    if row[0] is None:
        state = await db.fetch_row(SQL.get_state, known)
        if state is not None and not state["deleted"]:
            raise Conflict(f"{known} is not deleted.", hint="There is nothing to restore.")
        if state is not None:
            raise Conflict(f"{known} is in version {state['version']}; you named {version}.")
        raise await why_not(db, known)
    return Touched(items=row[0])


async def archive(db: Database, item: str, *, away: bool) -> Touched:
    """Put a closed item and all beneath it out of the way, or bring it back."""
    known = item_id(item)
    rows = await db.fetch(SQL.archive_item, known, away, db.actor)
    if not rows:
        state = await db.fetch_row(SQL.get_state, known)
        if state is None or state["deleted"]:
            raise await why_not(db, known)
        if state["category"] not in ("done", "dropped"):
            raise Conflict(f"{known} is {state['status']}.", hint="Only closed work is archived.")
    return Touched(items=len(rows))


async def comment(db: Database, item: str, body: str, agent: str) -> Comment:
    """Say something about an item."""
    known = item_id(item)
    if not 0 < len(body) <= 50_000:  # noqa: PLR2004 - as the table has it
        raise InvalidInput("A comment has 1 to 50000 characters.")
    by = holder_of(agent, "")
    row = await db.fetch_row(SQL.insert_comment, known, body, db.actor, by)
    if row is None:
        raise await why_not(db, known)
    return Comment(id=row["id"], created_at=row["created_at"])


async def link(db: Database, source: str, kind: str, target: str, *, remove: bool) -> Link:
    """Make a link, or end one; told from either end."""
    first, last = item_id(source), item_id(target)
    if kind in BACKWARDS:
        first, kind, last = last, BACKWARDS[kind], first
    if kind not in LINKS:
        raise InvalidInput(
            f"There is no link {kind[:64]!r}.", hint=f"Links: {', '.join((*LINKS, *BACKWARDS))}."
        )
    if first == last:
        raise InvalidInput("An item is not linked with itself.")
    if kind == "relates":
        first, last = sorted((first, last))
    query = SQL.remove_link if remove else SQL.insert_link
    row = await steadily(db, query, first, kind, last, db.actor)
    if row is None and not remove:
        for one in (first, last):
            state = await db.fetch_row(SQL.get_state, one)
            if state is None or state["deleted"]:
                raise await why_not(db, one)
    return Link(source=first, type=kind, target=last, linked=not remove, changed=row is not None)
