"""Work out and in: our own JSON lines, the same again byte for byte; and other trackers'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput
from undercroft.work import kinds
from undercroft.work.fields import as_json
from undercroft.work.foreign.drafts import CLOSED, Line, note
from undercroft.work.models import Imported, Row
from undercroft.work.own import PARTS
from undercroft.work.reading import read
from undercroft.work.tree import SQL as TREE

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "transfer.sql")

SHOWN = 50
"""Links that are told to have been left out."""
EXAMPLES = 10
"""Items that are named for each reason of a note."""
ENDS = {"item": ("parent",), "link": ("source", "target"), "comment": ("item",)}
"""Where a line names another item."""
BATCH = 500
"""Lines of one statement."""


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
    parts: dict[str, list[Line]] = {name: [] for name in (*PARTS, "note")}
    for line in lines:
        parts[line["type"]].append(line)
    async with db.transaction() as bound:
        await bound.execute(TREE.lock_graph)
        return await _stored(bound, parts)


async def _stored(db: Database, parts: Mapping[str, list[Line]]) -> Imported:
    told = list(parts["note"])
    items, ids, reopened = await _identified(db, parts, told)
    present = {one["name"] for one in await kinds.kinds(db)}
    for kind in parts["kind"]:
        if kind["name"] not in present:
            by = db.acting_as(kind.get("created_by") or db.actor)
            await kinds.define(
                by, kind["name"], kind.get("statuses") or [], kind.get("description", "")
            )
    _check_kinds(items, await kinds.kinds(db))
    for batch in _batches(items):
        await db.execute(SQL.import_items, batch, db.actor)
    fresh = {one["id"] for one in items}
    links, left_out = await _linked(db, _named(parts["link"], ids, ("source", "target"), told), ids)
    comments = await _said(db, parts, ids, fresh, told)
    return Imported(
        items=len(items),
        links=links,
        comments=comments,
        known=len({one.get("ref") or one["id"] for one in parts["item"]}) - len(items),
        reopened=reopened or None,
        left_out=_shown(left_out, SHOWN) or None,
        notes=_grouped(told) or None,
    )


def _check_kinds(items: Sequence[Line], known: Sequence[Line]) -> None:
    statuses = {(kind["name"], one["status"]) for kind in known for one in kind["statuses"]}
    for one in items:
        if (one["kind"], one["status"]) not in statuses:
            raise InvalidInput(
                f"{one['id']}: the kind {one['kind'][:48]!r} has no status {one['status'][:48]!r}.",
                hint="Lines of the type kind define kinds; list_work_kinds shows those here.",
            )


async def _said(
    db: Database,
    parts: Mapping[str, list[Line]],
    ids: Mapping[str, str],
    fresh: AbstractSet[str],
    told: list[Line],
) -> int:
    """What was said about items that are new, and comments that known ones lack; how many these."""
    about = {
        name: [
            {**one, "again": one["item"] not in fresh}
            for one in _named(parts[name], ids, ("item",), told)
            # Of what is known already, only a comment that has its time is told from an older one.
            if one["item"] in fresh or (name == "comment" and one.get("created_at"))
        ]
        for name in ("comment", "review", "round", "dispute")
    }
    made = dict.fromkeys(about, 0)
    for name, query in (
        ("comment", SQL.import_comments),
        ("review", SQL.import_reviews),
        ("round", SQL.import_rounds),
        ("dispute", SQL.import_disputes),
    ):
        for batch in _batches(about[name]):
            made[name] += await db.execute(query, batch, db.actor)
    return made["comment"]


async def _identified(
    db: Database, parts: Mapping[str, Sequence[Line]], told: list[Line]
) -> tuple[list[Line], dict[str, str], int]:
    """New items with ids, parents first; ref or id → id; how many parents had to be reopened."""
    every = {one.get("ref") or one["id"]: dict(one) for one in parts["item"]}
    named = sorted(
        {one[end] for part in ENDS for one in parts[part] for end in ENDS[part] if one.get(end)}
    )
    rows = await db.fetch(SQL.list_known, [*every, *named])
    known = {name: row for row in rows for name in (row["id"], row["external_ref"]) if name}
    ids = {name: row["id"] for name, row in known.items()}
    was_open = {name for name, one in every.items() if one["status"] not in CLOSED}
    for one in every.values():
        _reopen(one, every)
    told += _left(every, known)
    new = {name: one for name, one in every.items() if name not in ids}
    reopened = [n for n, one in new.items() if n not in was_open and one["status"] not in CLOSED]
    told += [note("opened again, since something beneath is open", name) for name in reopened]
    minted = iter(await db.fetch(TREE.mint_ids, sum("ref" in one for one in new.values())))
    for name, one in new.items():
        ids[name] = next(minted)["id"] if "ref" in one else name
    for name, one in new.items():
        one["id"] = ids[name]
        one["parent"] = _parent(name, one, ids, known, told)
        if "ref" in one:
            one["external_ref"] = one.pop("ref")
    return _parents_first(list(new.values())), ids, len(reopened)


def _left(every: Mapping[str, Line], known: Mapping[str, Row]) -> Iterator[Line]:
    """Notes of what is known and stands otherwise in the file."""
    for name, one in every.items():
        here = known.get(name)
        if here is None or one.get("deleted_at"):
            continue
        if here["deleted"]:
            yield note("deleted here, and left so", name)
        elif here["status"] != one["status"]:
            yield note(
                "known with another status, and left as it is",
                f"{name} ({here['status']} here, {one['status']} in the file)",
            )


def _parent(
    name: str, one: Line, ids: Mapping[str, str], known: Mapping[str, Row], told: list[Line]
) -> str | None:
    """The id of its parent; none where that is not to be had."""
    above = one.get("parent")
    if above and above not in ids:
        told.append(note("without its parent, which is neither in the file nor here", name))
    here = known.get(above or "")
    closed = here is not None and not here["is_open"] and one["status"] not in CLOSED
    if here is not None and "ref" in one and (closed or here["deleted"]):
        told.append(note("without its parent, which is closed or deleted here", name))
        return None
    return ids.get(above or "")


def _reopen(one: Line, every: Mapping[str, Line]) -> None:
    """Other trackers close a parent over open children; here what is open has an open parent."""
    while "ref" in one and one["status"] not in CLOSED:
        above = every.get(one.get("parent") or "")
        if above is None or above["status"] not in CLOSED:
            return
        above["status"] = "pending"
        above.pop("closed_at", None)
        one = above


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


def _named(
    lines: Sequence[Line], ids: Mapping[str, str], ends: Sequence[str], told: list[Line]
) -> list[Line]:
    """With ids for refs; what names nothing that is known is left out."""
    found = []
    for one in lines:
        if any(one[end] not in ids for end in ends):
            what = " ".join(one[end] for end in (*ends[:1], "link", *ends[1:]) if end in one)
            told.append(note(f"{one['type']}s of what is neither in the file nor here", what))
        else:
            found.append({**one, **{end: ids[one[end]] for end in ends}})
    return found


async def _linked(
    db: Database, links: Sequence[Line], ids: Mapping[str, str]
) -> tuple[int, list[str]]:
    """How many links were made, and which would have closed a circle."""
    wanted = [one for one in links if one["source"] != one["target"]]
    names = {known: name for name, known in ids.items()}
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
                    left_out.append(f"{names[one['source']]} {one['link']} {names[one['target']]}")
    return made, left_out


async def _link(db: Database, links: Sequence[Line]) -> int:
    async with db.transaction() as bound:
        return await bound.execute(SQL.import_links, as_json(list(links)), db.actor)


def _batches(lines: Sequence[Line]) -> list[str]:
    return [as_json(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]


def _grouped(notes: Sequence[Line]) -> list[str]:
    """One text for each reason."""
    found: dict[str, dict[str, None]] = {}
    for one in notes:
        found.setdefault(one["why"], {})[one["what"]] = None
    return [f"{why}: {', '.join(_shown(list(of), EXAMPLES))}" for why, of in found.items()]


def _shown(texts: Sequence[str], most: int) -> list[str]:
    more = len(texts) - most
    return [*texts[:most], *([f"and {more} more"] if more > 0 else [])]
