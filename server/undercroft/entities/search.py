"""Lists of records: filtered, sorted, in pages that a cursor continues.

A page begins after the last row of the one before (a keyset), never at an offset. Sort keys
are never NULL (see fields.py), and the id comes last, so that rows compare as wholes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import from_json, to_json

from undercroft.db.queries import make_query, quote_literal
from undercroft.entities.fields import Column, Field, resolve, words
from undercroft.entities.filters import Conditions
from undercroft.entities.models import EntityRecord
from undercroft.entities.store import Row
from undercroft.entities.types_cache import FRESH, EntityType, TypeCache
from undercroft.errors import InvalidInput, LimitReached
from undercroft.paging import PAGE_CHARACTERS, Page, decode_cursor, encode_cursor, page_of

if TYPE_CHECKING:
    from undercroft.db.database import Database

MAX_LIMIT = 200
MAX_SORTS = 4
MAX_FIELDS = 50
MAX_POSITION = 2_000
"""Characters of the sort values in a cursor."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to list."""

    type: str
    where: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""
    """Words to find; quotes, `or` and a leading minus as in a web search."""
    sort: Sequence[str] = ()
    """Fields, with a leading minus for descending; newest first by default."""
    limit: int = 50
    cursor: str = ""
    fields: Sequence[str] = ()
    count: bool = False
    include_deleted: bool = False

    @property
    def digest(self) -> str:
        """What a cursor belongs to."""
        same = [self.type, self.where, self.text, list(self.sort), self.include_deleted]
        canonical = _sorted(same)
        return hashlib.blake2b(to_json(canonical), digest_size=8).hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Key:
    """One sort key."""

    sql: str
    kind: str
    descending: bool


@dataclass(kw_only=True)
class _Plan:
    """A request on its way to SQL."""

    request: Request
    conditions: Conditions
    keys: Sequence[_Key]
    where: str

    @property
    def uniform(self) -> bool:
        return len({key.descending for key in self.keys}) == 1

    @property
    def order(self) -> str:
        ways = (f"{key.sql} {'DESC' if key.descending else 'ASC'}" for key in self.keys)
        return ", ".join(ways)


async def query(db: Database, request: Request) -> Page[EntityRecord]:
    """One page.

    Raises:
        NotFound: There is no such type.
        InvalidInput: The filter, the sort, the fields or the cursor are wrong.

    """
    if not 1 <= request.limit <= MAX_LIMIT:
        raise InvalidInput(f"limit is 1 to {MAX_LIMIT}.")
    kind = await db.cached(TypeCache).get(db, request.type, max_age=FRESH)
    plan = _plan(request, kind)
    count = await _count(db, plan) if request.count else None
    rows = await db.fetch(*_statement(plan, kind))
    positions = {row["id"]: _position(row, plan) for row in rows}
    page = page_of(
        [_record(row, request) for row in rows],
        limit=request.limit,
        position=lambda record: _bounded(positions[record.id]),
    )
    after = page.next_cursor
    if after is None and rows and rows[-1]["total"] > len(rows):
        # The database stopped at its own measure of a page.
        after = encode_cursor(_bounded(positions[page.items[-1].id]))
    return Page(items=page.items, next_cursor=after, count=count)


def statement(request: Request, kind: EntityType) -> list[Any]:
    """The statement of a page and its parameters."""
    return _statement(_plan(request, kind), kind)


def _plan(request: Request, kind: EntityType) -> _Plan:
    conditions = Conditions(definition=kind.definition)
    parts = [f"schema_name = {quote_literal(kind.name)}"]
    # Both stand as literals, so that a plan for any parameters can use the type's own indexes.
    if not request.include_deleted:
        parts.append("deleted_at IS NULL")
    parts.append(conditions.where(request.where))
    if request.text:
        if len(request.text) > MAX_POSITION:
            raise InvalidInput(f"text has more than {MAX_POSITION} characters.")
        searched = conditions.parameter(request.text, "text")
        parts.append(f"{words(kind.definition)} @@ websearch_to_tsquery('simple', {searched})")
    keys = _keys(request.sort, kind.definition)
    return _Plan(request=request, conditions=conditions, keys=keys, where=" AND ".join(parts))


def _keys(sort: Sequence[str], definition: Mapping[str, Any]) -> list[_Key]:
    if len(sort) > MAX_SORTS:
        raise InvalidInput(f"sort takes at most {MAX_SORTS} fields.")
    keys = []
    for name in sort or ["-created_at"]:
        target = resolve(name.lstrip("-+"), definition)
        keys.append(_Key(sql=target.sort_key, kind=target.kind, descending=name.startswith("-")))
        if isinstance(target, Column) and target.name == "id":
            return keys
    return [*keys, _Key(sql="id", kind="uuid", descending=keys[-1].descending)]


def _statement(plan: _Plan, kind: EntityType) -> list[Any]:
    request, keys = plan.request, plan.keys
    where = plan.where
    if request.cursor:
        where += f" AND {_after(plan)}"
    names = [f"k{place}" for place in range(len(keys))]
    selected = ", ".join(f"{key.sql} AS {name}" for key, name in zip(keys, names, strict=True))
    order = ", ".join(
        f"{name} {'DESC' if key.descending else 'ASC'}"
        for key, name in zip(keys, names, strict=True)
    )
    columns = "id, version, created_at, updated_at, created_by, updated_by, deleted_at"
    body = _body(request, kind, plan.conditions)
    texts = ", ".join(f"{name}::text AS {name}" for name in names)
    # At most a page's worth of bodies leaves the database, however large the records are.
    text = (
        f"SELECT {columns}, body, {texts}, total FROM ("  # noqa: S608 - names quoted in fields.py
        f"SELECT *, sum(length(body)) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING)"
        " - length(body) AS before, count(*) OVER () AS total FROM ("
        f"SELECT {columns}, {body} AS body, {selected} FROM workflow.entities"
        f" WHERE {where} ORDER BY {plan.order} LIMIT {request.limit + 1}"
        f") AS page) AS sized WHERE before <= {PAGE_CHARACTERS} ORDER BY {_qualified(order)}"
    )
    return [make_query("query_entities", text), *plan.conditions.parameters]


def _qualified(order: str) -> str:
    """The keys by their types, where the select list has texts of the same names."""
    return ", ".join(f"sized.{part}" for part in order.split(", "))


def _body(request: Request, kind: EntityType, conditions: Conditions) -> str:
    """The data, or the chosen fields of it by their names."""
    if not request.fields:
        return "data::text"
    chosen = _fields(request.fields, kind.definition)
    if not chosen:
        return "'{}'::text"
    parts = []
    for name, target in chosen:
        one = f"jsonb_build_object({conditions.parameter(name, 'text')}, {target.value})"
        parts.append(f"CASE WHEN ({target.value}) IS NULL THEN '{{}}'::jsonb ELSE {one} END")
    return f"({' || '.join(parts)})::text"


def _fields(names: Sequence[str], definition: Mapping[str, Any]) -> list[tuple[str, Field]]:
    if len(names) > MAX_FIELDS:
        raise InvalidInput(f"fields takes at most {MAX_FIELDS} names.")
    resolved = [(name, resolve(name, definition)) for name in dict.fromkeys(names)]
    return [(name, target) for name, target in resolved if isinstance(target, Field)]


def _after(plan: _Plan) -> str:
    """The rows after the cursor's."""
    digest, *values = decode_cursor(plan.request.cursor, len(plan.keys) + 1)
    if digest != plan.request.digest or not all(isinstance(value, str) for value in values):
        raise InvalidInput(
            "The cursor belongs to another query.",
            hint="Pass next_cursor back with the same type, where, text and sort.",
        )
    _check_position(plan.keys, values)
    at = [
        f"{plan.conditions.parameter(value, 'text')}::{key.kind}"
        for key, value in zip(plan.keys, values, strict=True)
    ]
    if plan.uniform:
        sign = "<" if plan.keys[0].descending else ">"
        return f"({', '.join(key.sql for key in plan.keys)}) {sign} ({', '.join(at)})"
    return _after_mixed(plan.keys, at)


def _after_mixed(keys: Sequence[_Key], at: Sequence[str]) -> str:
    """Row comparison spelt out, for keys that run in different directions."""
    turns = []
    for place, key in enumerate(keys):
        equal = [f"{keys[before].sql} = {at[before]}" for before in range(place)]
        turns.append(" AND ".join([*equal, f"{key.sql} {_sign(key)} {at[place]}"]))
    # The first key alone bounds the rows that an index must visit.
    first = f"{keys[0].sql} {_sign(keys[0])}= {at[0]}"
    return f"{first} AND ({' OR '.join(f'({turn})' for turn in turns)})"


def _sign(key: _Key) -> str:
    return "<" if key.descending else ">"


def _check_position(keys: Sequence[_Key], values: Sequence[str]) -> None:
    """A cursor made by hand must not reach PostgreSQL with a value that it cannot read."""
    try:
        for key, value in zip(keys, values, strict=True):
            if key.kind == "uuid":
                UUID(value)
            elif key.kind == "jsonb":
                from_json(value, allow_inf_nan=False)
            elif key.kind == "integer":
                int(value)
    except ValueError:
        raise InvalidInput(
            "The cursor is damaged.", hint="Pass next_cursor back unchanged."
        ) from None


async def _count(db: Database, plan: _Plan) -> int:
    text = f"SELECT count(*) AS n FROM workflow.entities WHERE {plan.where}"  # noqa: S608 - built above
    rows = await db.fetch(make_query("count_entities", text), *plan.conditions.parameters)
    return int(rows[0]["n"])


def _position(row: Row, plan: _Plan) -> list[str]:
    return [plan.request.digest, *(row[f"k{place}"] for place in range(len(plan.keys)))]


def _bounded(position: list[str]) -> list[str]:
    if sum(map(len, position)) > MAX_POSITION:
        raise LimitReached(
            "The values of the sort fields are too long to page by.",
            hint="Sort by another field, or narrow the filter to one page.",
        )
    return position


def _record(row: Row, request: Request) -> EntityRecord:
    data = from_json(row["body"])
    whole = not request.fields
    chosen = {
        name: row[name]
        for name in ("created_at", "updated_at", "created_by", "updated_by", "deleted_at")
        if whole or name in request.fields
    }
    return EntityRecord(id=row["id"], version=row["version"], data=data, **chosen)


def chosen(
    record: EntityRecord, names: Sequence[str], definition: Mapping[str, Any]
) -> EntityRecord:
    """A record with some of its fields only, as a query would return it."""
    data: dict[str, Any] = {}
    for name, target in _fields(names, definition):
        value: Any = record.data
        for part in target.path:
            value = value.get(part, _MISSING) if isinstance(value, Mapping) else _MISSING
        if value is not _MISSING:
            data[name] = value
    columns = ("created_at", "updated_at", "created_by", "updated_by", "deleted_at")
    kept = {name: getattr(record, name) for name in columns if name in names}
    return EntityRecord(id=record.id, type=record.type, version=record.version, data=data, **kept)


_MISSING = object()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value
