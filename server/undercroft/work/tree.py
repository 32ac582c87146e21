"""The tree: whole plans made at once, read under a budget, and rearranged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, LimitReached, Unavailable
from undercroft.paging import PAGE_CHARACTERS, decode_cursor, encode_cursor, page_of
from undercroft.work.fields import as_json, checked, item_id, optional_id
from undercroft.work.items import check_entities, versioned
from undercroft.work.models import Node, Plan, Planned, Written
from undercroft.work.store import SQL as ITEMS
from undercroft.work.store import TURNS, steadily, why_not, written

if TYPE_CHECKING:
    from undercroft.db.database import Database

SQL = load_queries(__package__, "tree.sql")

MOST = 5_000
"""Items of one plan."""
TOLD = 600
"""Ids of one answer."""
OWN = ("key", "children", "blocked_by", "sequential")
"""What a node of a plan has beyond the fields of its item."""
CHARACTERS_PER_TOKEN = 4
TOKENS = 2_000
"""What a plan costs that was asked for without a budget."""
DEEPEST = 2**31 - 1


@dataclass(kw_only=True)
class Draft:
    """A plan on its way into rows: parents before their children, siblings in their order."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    """Fields, with `id`, and `under` where the parent is of the same plan."""
    keys: dict[str, int] = field(default_factory=dict)
    """Key → place in `nodes`."""
    own: set[str] = field(default_factory=set)
    """Keys that were given."""
    waits: list[tuple[str, int]] = field(default_factory=list)
    """A key or id, and the node that it blocks."""


async def create_plan(db: Database, nodes: Sequence[Any], parent: str) -> Planned:
    """A whole tree, all or none.

    Raises:
        InvalidInput: A node is none, a key is there twice, or is unknown.
        Conflict: Something would wait for itself.

    """
    draft = drafted(nodes)
    for node in draft.nodes:
        await check_entities(db, node)
    above = optional_id(parent) or None
    for _ in range(TURNS):
        try:
            async with db.transaction() as bound:
                return await _stored(bound, draft, above)
        except Unavailable as error:
            if error.__context__ is None:
                raise
    raise Unavailable("Others made items at the same place again and again.")


def drafted(nodes: Sequence[Any]) -> Draft:
    """The plan as rows."""
    draft = Draft()
    todo: list[tuple[Any, str, int | None, int | None]] = []

    def push(children: Any, prefix: str, under: int | None, *, sequential: bool) -> None:
        if not isinstance(children, list | tuple):
            raise InvalidInput(f"children of {prefix or 'the plan'} is a list of items.")
        for place, child in reversed([*enumerate(children, 1)]):
            before = place - 1 if sequential and place > 1 else None
            todo.append((child, f"{prefix}{place}", under, before))

    push(nodes, "", None, sequential=False)
    while todo:
        node, place, under, before = todo.pop()
        number = _add(draft, node, place, under)
        if before is not None:
            draft.waits.append((f"{place.rpartition('.')[0]}.{before}".lstrip("."), number))
        sequential = node.get("sequential", False)
        if not isinstance(sequential, bool):
            raise InvalidInput(f"sequential of item {place} is true or false.")
        push(node.get("children") or [], f"{place}.", number, sequential=sequential)
    if not draft.nodes:
        raise InvalidInput("A plan has at least one item.")
    return draft


def _add(draft: Draft, node: Any, place: str, under: int | None) -> int:
    if not isinstance(node, Mapping):
        raise InvalidInput(f"Item {place} of the plan is an object with a title.")
    if len(draft.nodes) == MOST:
        raise LimitReached(f"One plan has at most {MOST} items.", hint="Add the rest under them.")
    own = {name: value for name, value in node.items() if name not in OWN}
    fields = checked(own, where=f"Item {place}: ")
    if "title" not in fields:
        raise InvalidInput(f"Item {place} of the plan has no title.")
    number = len(draft.nodes)
    for key in dict.fromkeys((place, str(node.get("key") or place))):
        if key in draft.keys:
            raise InvalidInput(f"The key {key[:64]!r} is there twice.")
        draft.keys[key] = number
    draft.own |= {str(node["key"])} if node.get("key") else set()
    blockers = node.get("blocked_by") or []
    if not isinstance(blockers, list | tuple):
        raise InvalidInput(f"blocked_by of item {place} is a list of keys or ids.")
    draft.waits += [(str(key), number) for key in blockers]
    draft.nodes.append(fields if under is None else {**fields, "under": under})
    return number


async def _stored(db: Database, draft: Draft, above: str | None) -> Planned:
    if draft.waits:
        await db.execute(SQL.lock_graph)
    rows = await db.fetch(SQL.mint_ids, len(draft.nodes))
    ids = [row["id"] for row in rows]
    nodes = []
    for known, node in zip(ids, draft.nodes, strict=True):
        under = {"under": ids[node["under"]]} if "under" in node else {}
        nodes.append({**node, "id": known, **under})
    links = _links(draft, ids)
    made = await db.fetch(SQL.insert_plan, above, as_json(nodes), db.actor)
    if len(made) != len(nodes):
        raise Unavailable("Others made items at the same place.") from InterruptedError()
    if links:
        sources, targets = zip(*links, strict=True)
        kinds = ["blocks"] * len(links)
        try:
            await db.execute(SQL.insert_plan_links, list(sources), kinds, list(targets), db.actor)
        except Conflict as error:
            hint = (
                "Nothing was made. No two items wait for each other, and none for its own parent."
            )
            raise Conflict(
                error.message, hint=f"{hint} Look at blocked_by and sequential."
            ) from None
    return Planned(ids=_told(draft, ids), items=len(ids))


def _told(draft: Draft, ids: Sequence[str]) -> dict[str, str]:
    """Ids by the keys that were given, else by places; of a large plan only those that fit."""
    named = {number: key for key, number in draft.keys.items()}
    if len(named) > TOLD:
        top = [n for n, node in enumerate(draft.nodes) if "under" not in node]
        own = [n for n, key in named.items() if key in draft.own]
        named = {number: named[number] for number in sorted({*top, *own})[:TOLD]}
    return {key: ids[number] for number, key in named.items()}


def _links(draft: Draft, ids: Sequence[str]) -> list[tuple[str, str]]:
    found = []
    for key, number in draft.waits:
        source = ids[draft.keys[key]] if key in draft.keys else None
        if source is None:
            try:
                source = item_id(key)
            except InvalidInput:
                raise InvalidInput(
                    f"blocked_by names {key[:64]!r}, which is no key of the plan and no id."
                ) from None
        if source == ids[number]:
            raise InvalidInput(f"{key[:64]!r} would wait for itself.")
        found.append((source, ids[number]))
    return list(dict.fromkeys(found))


async def get_plan(  # noqa: PLR0913 - what is shown of it
    db: Database,
    item: str = "",
    *,
    depth: int = 0,
    tokens: int = 0,
    archived: bool = False,
    cursor: str = "",
) -> Plan:
    """The tree beneath an item, or the whole project's, as deep as fits into the tokens.

    Raises:
        NotFound: There is no such item.

    """
    known = optional_id(item)
    offset = _offset(known, cursor)
    if min(tokens, depth) < 0:
        raise InvalidInput("depth and tokens are 0 (for as it fits) or more.")
    characters = min((tokens or TOKENS) * CHARACTERS_PER_TOKEN, PAGE_CHARACTERS)
    rows = await db.fetch(
        SQL.read_plan,
        *(known, characters, archived, depth or DEEPEST, offset, characters // 60 + 2),
    )
    if not rows and known and not offset:
        raise await why_not(db, known)
    nodes = [_node(row) for row in rows]
    page = page_of(nodes, limit=len(nodes), position=lambda _: [], characters=characters)
    shown = offset + len(page.items)
    more = bool(rows) and (len(page.items) < len(nodes) or len(nodes) == characters // 60 + 2)
    return Plan(
        items=page.items,
        total=rows[0]["total"] if rows else 0,
        next_cursor=encode_cursor([known, shown]) if more else None,
    )


def _offset(item: str, cursor: str) -> int:
    if not cursor:
        return 0
    owner, offset = decode_cursor(cursor, 2)
    if owner != item or not isinstance(offset, int) or not 0 <= offset < DEEPEST:
        raise InvalidInput("The cursor does not belong to this plan.")
    return offset


def _node(row: Any) -> Node:
    below: int = row["below"]
    same = ("id", "depth", "kind", "title", "status", "priority", "held_by")
    return Node(
        **{name: row[name] for name in same},
        progress=row["progress"] if below else None,
        blocked=row["blocked"] or None,
        hidden=below if below and row["cut"] else None,
    )


async def move(  # noqa: PLR0913 - where to, and by whom
    db: Database,
    item: str,
    *,
    parent: str = "",
    before: str = "",
    after: str = "",
    version: int = 0,
    epoch: int = 0,
) -> Written:
    """To another parent (empty: none), or next to another item.

    Raises:
        InvalidInput: More than one place was named, or neither version nor epoch.
        Conflict: It would wait for itself, the parent is closed, or another was faster.

    """
    known = item_id(item)
    if sum(map(bool, (parent, before, after))) > 1:
        raise InvalidInput("Name one place: parent, before or after.")
    anchors = (optional_id(before), optional_id(after))
    if known in anchors:
        raise InvalidInput("An item does not stand next to itself.")
    numbers = versioned(version, epoch)
    above = optional_id(parent) or None
    row = await steadily(db, SQL.move_item, known, above, *anchors, *numbers, db.actor)
    if row is None:
        anchor = "".join(anchors)
        if anchor:
            state = await db.fetch_row(ITEMS.get_state, anchor)
            if state is None or state["deleted"]:
                raise await why_not(db, anchor)
        raise await why_not(db, known, version=version, epoch=epoch)
    return written(row)
