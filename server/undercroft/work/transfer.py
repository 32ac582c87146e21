"""Work out and in: our own JSON lines, the same again byte for byte; and other trackers'."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput
from undercroft.work import kinds
from undercroft.work.fields import as_json
from undercroft.work.foreign import from_beads, from_github, from_taskmaster
from undercroft.work.models import Imported
from undercroft.work.tree import SQL as TREE

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "transfer.sql")

Line = dict[str, Any]

FORMATS = ("auto", "undercroft", "beads", "taskmaster", "github")
NEEDED = {
    "kind": ("name",),
    "item": ("id", "kind", "title", "status"),
    "link": ("source", "link", "target"),
    "comment": ("item", "body"),
    "review": ("item", "state"),
    "round": ("item", "action"),
    "dispute": ("item", "id"),
}
"""Texts that each type of line has."""
PARTS = tuple(NEEDED)
SHOWN = 50
"""Links that are told to have been left out."""
BATCH = 500
"""Lines of one statement."""
CLOSED = ("completed", "cancelled")


async def exported(db: Database) -> list[str]:
    """Every line, as of one moment."""
    return [row["line"] for row in await db.fetch(SQL.export_lines)]


async def imported(db: Database, text: str, form: str = "auto") -> Imported:
    """All lines or none; what is there already is left as it is.

    Raises:
        InvalidInput: The text is of no form that is known.
        Conflict: It does not fit together.

    """
    lines = read(text, form)
    parts: dict[str, list[Line]] = {name: [] for name in PARTS}
    for line in lines:
        parts[line["type"]].append(line)
    async with db.transaction() as bound:
        await bound.execute(TREE.lock_graph)
        return await _stored(bound, parts)


def read(text: str, form: str) -> list[Line]:
    """The lines of a text in any of the forms.

    Raises:
        InvalidInput: It is none of them.

    """
    if form not in FORMATS:
        raise InvalidInput(f"There is no format {form[:64]!r}.", hint=f"{', '.join(FORMATS)}.")
    values = _values(text)
    chosen = _guessed(values) if form == "auto" else form
    readers: Mapping[str, Callable[[], Iterable[Line]]] = {
        "undercroft": lambda: map(_own, values),
        "beads": lambda: from_beads(values),
        "taskmaster": lambda: from_taskmaster(values[0]),
        "github": lambda: from_github(values),
    }
    try:
        return list(readers[chosen]())
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InvalidInput(
            f"This is not what {chosen} writes: {type(error).__name__} at {str(error)[:80]}."
        ) from None


def _values(text: str) -> list[Any]:
    """One JSON document, or one a line; a list stands for its items."""
    try:
        whole = json.loads(text)
    except ValueError:
        try:
            # Not splitlines: a JSON text may hold other ends of lines than this one.
            return [json.loads(line) for line in text.split("\n") if line.strip()]
        except ValueError as error:
            raise InvalidInput(f"This is neither JSON nor JSON lines: {error}.") from None
    return whole if isinstance(whole, list) else [whole]


def _guessed(values: Sequence[Any]) -> str:
    first = values[0] if values and isinstance(values[0], dict) else {}
    if first.get("type") in PARTS:
        return "undercroft"
    if "issue_type" in first or ("id" in first and "dependencies" in first):
        return "beads"
    if "number" in first:
        return "github"
    if "tasks" in first or any(isinstance(v, dict) and "tasks" in v for v in first.values()):
        return "taskmaster"
    raise InvalidInput("It is not clear where this comes from.", hint=f"Name it: {FORMATS[1:]}.")


def _own(line: Any) -> Line:
    for name in NEEDED[line["type"]]:
        if not isinstance(line[name], str):
            raise TypeError(name)
    return dict(line)


async def _stored(db: Database, parts: Mapping[str, list[Line]]) -> Imported:
    items, ids, reopened = await _identified(db, parts["item"])
    present = {one["name"] for one in await kinds.kinds(db)}
    for kind in parts["kind"]:
        if kind["name"] not in present:
            by = db.acting_as(kind.get("created_by") or db.actor)
            await kinds.define(
                by, kind["name"], kind.get("statuses") or [], kind.get("description", "")
            )
    for batch in _batches(items):
        await db.execute(SQL.import_items, batch, db.actor)
    fresh = {one["id"] for one in items}
    links, left_out = await _linked(db, _named(parts["link"], ids, ("source", "target")))
    about = {
        name: [one for one in _named(parts[name], ids, ("item",)) if one["item"] in fresh]
        for name in ("comment", "review", "round", "dispute")
    }
    for name, query in (
        ("comment", SQL.import_comments),
        ("review", SQL.import_reviews),
        ("round", SQL.import_rounds),
        ("dispute", SQL.import_disputes),
    ):
        for batch in _batches(about[name]):
            await db.execute(query, batch, db.actor)
    return Imported(
        items=len(items),
        links=links,
        comments=len(about["comment"]),
        known=len(parts["item"]) - len(items),
        reopened=reopened or None,
        left_out=left_out[:SHOWN] or None,
    )


async def _identified(
    db: Database, lines: Sequence[Line]
) -> tuple[list[Line], dict[str, str], int]:
    """New items with ids, parents first; ref or id → id; how many parents had to be reopened."""
    refs = [one["ref"] for one in lines if "ref" in one]
    known = await db.fetch(SQL.list_known, [one["id"] for one in lines if "id" in one], refs)
    ids = {row["id"]: row["id"] for row in known}
    ids |= {row["external_ref"]: row["id"] for row in known if row["external_ref"]}
    new = {one.get("ref") or one["id"]: dict(one) for one in lines}
    new = {name: one for name, one in new.items() if name not in ids}
    minted = iter(await db.fetch(TREE.mint_ids, sum("ref" in one for one in new.values())))
    for name, one in new.items():
        ids[name] = next(minted)["id"] if "ref" in one else name
    reopened = sum(_reopen(one, new) for one in list(new.values()))
    for name, one in new.items():
        one["id"] = ids[name]
        if "ref" in one:
            one["external_ref"] = one.pop("ref")
        one["parent"] = ids.get(one.get("parent") or "")
    return _parents_first(list(new.values())), ids, reopened


def _reopen(one: Line, every: Mapping[str, Line]) -> bool:
    """Other trackers close a parent over open children; here what is open has an open parent."""
    if "ref" not in one or one["status"] in CLOSED:
        return False
    above = every.get(one.get("parent") or "")
    if above is None or above["status"] not in CLOSED:
        return False
    above["status"] = "pending"
    above.pop("closed_at", None)
    _reopen(above, every)
    return True


def _parents_first(items: Sequence[Line]) -> list[Line]:
    beneath: dict[str | None, list[Line]] = {}
    names = {one["id"] for one in items}
    for one in items:
        above = one["parent"] if one["parent"] in names else None
        beneath.setdefault(above, []).append(one)
    found, level = [], beneath.get(None, [])
    while level:
        found += level
        level = [child for one in level for child in beneath.get(one["id"], [])]
    if len(found) != len(items):
        raise Conflict("Some items are each other's parents.")
    return found


def _named(lines: Sequence[Line], ids: Mapping[str, str], ends: Sequence[str]) -> list[Line]:
    """With ids for refs; what names nothing that is known is left out."""
    return [
        {**one, **{end: ids[one[end]] for end in ends}}
        for one in lines
        if all(one[end] in ids for end in ends)
    ]


async def _linked(db: Database, links: Sequence[Line]) -> tuple[int, list[str]]:
    """How many links were made, and which would have closed a circle."""
    wanted = [one for one in links if one["source"] != one["target"]]
    for one in wanted:
        if one["link"] == "relates":
            one["source"], one["target"] = sorted((one["source"], one["target"]))
    made, left_out = 0, []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        try:
            made += await _link(db, batch)
        except Conflict:
            for one in batch:
                try:
                    made += await _link(db, [one])
                except Conflict:
                    left_out.append(f"{one['source']} {one['link']} {one['target']}")
    return made, left_out


async def _link(db: Database, links: Sequence[Line]) -> int:
    async with db.transaction() as bound:
        return await bound.execute(SQL.import_links, as_json(list(links)), db.actor)


def _batches(lines: Sequence[Line]) -> list[str]:
    return [as_json(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]
