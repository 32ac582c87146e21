"""The query language and its pages, against a model of them in Python."""

import functools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undercroft.db.database import Database
from undercroft.entities.service import Entities
from undercroft.errors import InvalidInput, LimitReached

THING = {
    "type": "object",
    "properties": {
        "s": {"type": "string", "maxLength": 20},
        "n": {"type": "number"},
        "m": {},
        "t": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "a": {"type": "object", "properties": {"b": {}}},
        "o'h \\no": {},
    },
    "x-indexed": ["s", "n", "t", ["s", "n"]],
}

texts = st.sampled_from(["", "a", "A", "ab", "b", "ä", "😀", "a%b", "_", "\\", "'"])
numbers = st.sampled_from([0, 1, -1, 2, 1.5, 2.0, 10, 1e20])
scalars = st.one_of(texts, numbers, st.booleans(), st.none())
times = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "2026-01-01T01:00:00+01:00",
        "2025-12-31T23:59:59.5Z",
        "2026-06-01T12:00:00-05:30",
    ]
)
things = st.fixed_dictionaries(
    {},
    optional={
        "s": texts,
        "n": numbers,
        "m": scalars,
        "t": times,
        "tags": st.lists(texts, max_size=3),
        "a": st.fixed_dictionaries({}, optional={"b": scalars, "c": scalars}),
        "o'h \\no": scalars,
    },
)

names = st.sampled_from(["s", "n", "m", "a.b", "data.a.c", "o'h \\no", "data.nothing"])
comparison = st.sampled_from(["lt", "lte", "gt", "gte"])
on_field = st.one_of(
    scalars,
    st.builds(lambda o, v: {o: v}, st.sampled_from(["eq", "ne"]), scalars),
    st.builds(lambda o, v: {o: v}, comparison, st.one_of(texts, numbers)),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["in", "nin"]), st.lists(scalars, max_size=3)),
    st.builds(lambda v: {"exists": v}, st.booleans()),
    st.builds(lambda v: {"like": v}, st.sampled_from(["a", "a%", "%b", "_", "A", "%", "\\%"])),
)
on_time = st.one_of(
    st.builds(lambda o, v: {o: v}, st.sampled_from(["eq", "ne", "lt", "lte", "gt", "gte"]), times),
    st.builds(lambda o, v: {o: v}, st.sampled_from(["in", "nin"]), st.lists(times, max_size=2)),
)
leaves = st.one_of(
    st.dictionaries(names, on_field, min_size=1, max_size=2),
    st.builds(lambda c: {"t": c}, on_time),
    st.builds(lambda v: {"tags": {"contains": v}}, st.one_of(texts, st.lists(texts, max_size=2))),
)
wheres = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda w: {"not": w}, inner),
        st.builds(
            lambda g, ws: {g: ws},
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
    ),
    max_leaves=6,
)
sorts = st.lists(
    st.sampled_from(["s", "-s", "n", "-n", "m", "-m", "t", "-t", "created_at", "-a.b", "id"]),
    max_size=3,
)

KINDS = {type(None): 0, str: 1, int: 2, float: 2, bool: 3}
ABSENT = object()


def order(value: Any) -> tuple[int, Any]:
    """jsonb's order of scalars; a missing field is null."""
    value = None if value is ABSENT else value
    return KINDS[type(value)], 0 if value is None else value


def instant(value: Any) -> datetime:
    if isinstance(value, str) and len(value) > 15:
        return datetime.fromisoformat(value).astimezone(UTC)
    return datetime.min.replace(tzinfo=UTC)


def reach(data: Any, name: str) -> Any:
    for part in [name] if name in THING["properties"] else name.removeprefix("data.").split("."):
        data = data.get(part, ABSENT) if isinstance(data, dict) else ABSENT
    return data


def like(pattern: str, text: Any) -> bool:
    import re

    if not isinstance(text, str):
        return False
    regex, escaped = "", False
    for char in pattern:
        if escaped or char not in "%_\\":
            regex += re.escape(char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            regex += ".*" if char == "%" else "."
    return re.fullmatch(regex, text, re.IGNORECASE | re.DOTALL) is not None


def compare(left: Any, operator: str, right: Any) -> bool:
    return {
        "eq": left == right,
        "ne": left != right,
        "lt": left < right,
        "lte": left <= right,
        "gt": left > right,
        "gte": left >= right,
    }[operator]


def holds(data: dict[str, Any], where: dict[str, Any]) -> bool:
    return all(member(data, name, value) for name, value in where.items())


def member(data: dict[str, Any], name: str, value: Any) -> bool:
    if name == "not":
        return not holds(data, value)
    if name in ("and", "or"):
        return (all if name == "and" else any)(holds(data, item) for item in value)
    conditions = value if isinstance(value, dict) else {"eq": value}
    return all(condition(reach(data, name), name, *pair) for pair in conditions.items())


def condition(found: Any, name: str, operator: str, value: Any) -> bool:  # noqa: PLR0911
    if operator == "exists":
        return (found is not ABSENT) == value
    if operator == "like":
        return like(value, found)
    if operator == "contains":
        return found is not ABSENT and set(value if isinstance(value, list) else [value]) <= set(
            found
        )
    if operator == "nin":
        return not condition(found, name, "in", value)
    if operator == "in":
        return any(condition(found, name, "eq", item) for item in value)
    if name == "t":
        return compare(instant(found), operator, instant(value)) and (
            found is not ABSENT or operator in ("eq", "ne", "gt", "gte")
        )
    if operator not in ("eq", "ne") and order(found)[0] != order(value)[0]:
        return False
    return compare(order(found), operator, order(value))


@pytest.fixture
async def filled(project_db: Database) -> Entities:
    entities = Entities(project_db)
    await entities.types.define("thing", THING)
    await entities.types.define("other", {"type": "object"})
    await entities.create("other", {"s": "a", "n": 1})
    return entities


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_filters_sorts_and_pages_agree_with_the_model(
    filled: Entities, data: st.DataObject
) -> None:
    name = f"thing_{uuid.uuid4().hex[:10]}"
    await filled.types.define(name, THING)
    records = data.draw(st.lists(things, min_size=1, max_size=12))
    batch = await filled.create_many(name, records)
    stored = {
        uuid.UUID(item["id"]): record for item, record in zip(batch.items, records, strict=True)
    }
    for _ in range(6):
        where = data.draw(wheres)
        found = await filled.query(name, where=where, limit=200, count=True)
        expected = {entity for entity, record in stored.items() if holds(record, where)}
        assert {record.id for record in found.items} == expected, where
        assert found.count == len(expected)
    for _ in range(3):
        sort = data.draw(sorts)
        limit = data.draw(st.integers(1, 4))
        assert (
            await all_pages(filled, name, sort, limit)
            == [entity for entity, _ in sorted(stored.items(), key=functools.cmp_to_key(by(sort)))]
            or not sort
            or "created_at" in sort
        )


def by(sort: list[str]) -> Any:
    def compare_two(left: Any, right: Any) -> int:
        descending = False
        for one in sort:
            descending, name = one.startswith("-"), one.lstrip("-")
            a, b = (key(name, *pair) for pair in (left, right))
            if a != b:
                return (1 if a > b else -1) * (-1 if descending else 1)
        return (1 if left[0] > right[0] else -1) * (-1 if descending else 1)

    return compare_two


def key(name: str, entity: uuid.UUID, record: dict[str, Any]) -> Any:
    if name == "id":
        return entity
    found = reach(record, name)
    return instant(found) if name == "t" else order(found)


async def all_pages(entities: Entities, name: str, sort: list[str], limit: int) -> list[uuid.UUID]:
    seen: list[uuid.UUID] = []
    cursor = ""
    while True:
        page = await entities.query(name, sort=sort, limit=limit, cursor=cursor)
        seen += [record.id for record in page.items]
        assert len(seen) == len(set(seen))
        if page.next_cursor is None:
            return seen
        cursor = page.next_cursor


MIXED: list[Any] = [None, "", "a", "b", 0, 1, 1.5, -1, True, False, [], ["a"], [1], {}, {"a": 1}]


@pytest.mark.parametrize("operator", ["lt", "lte", "gt", "gte"])
@pytest.mark.parametrize("value", ["", "a", 0, 1])
async def test_a_comparison_stays_within_one_kind_of_value(
    filled: Entities, operator: str, value: Any
) -> None:
    await filled.create_many("thing", [{"m": mixed} for mixed in MIXED] + [{}])
    found = await filled.query("thing", where={"m": {operator: value}})
    kinds = str if isinstance(value, str) else int | float
    expected = [
        mixed
        for mixed in MIXED
        if isinstance(mixed, kinds)
        and not isinstance(mixed, bool)
        and compare(mixed, operator, value)
    ]
    assert sorted(r.data["m"] for r in found.items if r.data) == sorted(expected)


async def test_pages_cover_every_record_once_while_others_are_written(filled: Entities) -> None:
    batch = await filled.create_many("thing", [{"n": i % 3} for i in range(30)])
    first = await filled.query("thing", sort=["n"], limit=10)
    await filled.create_many("thing", [{"n": -5} for _ in range(5)])
    seen = [record.id for record in first.items]
    cursor = first.next_cursor
    while cursor:
        page = await filled.query("thing", sort=["n"], limit=10, cursor=cursor)
        seen += [record.id for record in page.items]
        cursor = page.next_cursor
    assert sorted(map(str, seen)) == sorted(item["id"] for item in batch.items)


async def test_only_chosen_fields_come_back(filled: Entities) -> None:
    made = await filled.create("thing", {"s": "a", "n": 1, "a": {"b": None}, "m": [1]})
    page = await filled.query("thing", fields=["s", "a.b", "t", "updated_at"])
    assert page.items[0].data == {"s": "a", "a.b": None}
    assert page.items[0].created_by is None
    assert page.items[0].updated_at == made.updated_at
    alone = await filled.get(made.id, ["s", "a.b", "t", "updated_at"])
    assert alone.data == page.items[0].data


async def test_columns_are_filtered_like_fields(filled: Entities) -> None:
    made = [await filled.create("thing", {"n": i}) for i in range(3)]
    await filled.update(made[0].id, 1, patch={"n": 9})
    await filled.delete(made[1].id, 1)
    found = {
        "version": {"gt": 1},
        "id": {"in": [str(made[0].id), str(made[2].id)]},
        "updated_by": "test",
        "updated_at": {"gte": made[0].updated_at.isoformat()},
        "created_at": {"lt": (datetime.now(UTC) + timedelta(days=1)).isoformat()},
    }
    assert [r.id for r in (await filled.query("thing", where=found)).items] == [made[0].id]
    deleted = await filled.query(
        "thing", where={"deleted_at": {"exists": True}}, include_deleted=True
    )
    assert [r.id for r in deleted.items] == [made[1].id]
    assert deleted.items[0].deleted_at is not None


async def test_words_are_found_in_any_text_or_in_the_chosen_fields(filled: Entities) -> None:
    await filled.create("thing", {"s": "Blue whale", "tags": ["ocean"]})
    await filled.create("thing", {"s": "red fox"})
    assert len((await filled.query("thing", text="whale ocean")).items) == 1
    assert len((await filled.query("thing", text='"blue whale" -fox')).items) == 1
    await filled.create("task", {"title": "Fix the pump", "status": "pending", "assignee": "whale"})
    assert len((await filled.query("task", text="pump")).items) == 1
    assert (await filled.query("task", text="whale")).items == []


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ({"statsu": "x"}, "Did you mean"),
        ({"n": {"gtee": 1}}, "gte"),
        ({"n": {"gt": None}}, ""),
        ({"n": {"gt": [1]}}, ""),
        ({"s": ["a"]}, "in"),
        ({"or": []}, ""),
        ({"not": [1]}, ""),
        ({"t": "yesterday"}, "Z"),
        ({"t": {"gt": "2026-02-30T00:00:00Z"}}, "Z"),
        ({"created_at": {"lt": 5}}, ""),
        ({"id": "x"}, ""),
        ({"version": 2**40}, ""),
        ({"s": {}}, ""),
        ({"s": {"like": "a\\"}}, ""),
        ({"n": {"in": 5}}, ""),
        ({"a." + ".".join("b" * 20): 1}, ""),
        ({"data.\x00": 1}, ""),
        ({"data.\ud800": 1}, ""),
    ],
)
async def test_what_is_not_of_the_language_is_refused(
    filled: Entities, where: dict[str, Any], hint: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await filled.query("thing", where=where)
    assert hint in refused.value.hint


async def test_a_filter_has_bounds(filled: Entities) -> None:
    deep: dict[str, Any] = {"n": 1}
    for _ in range(20):
        deep = {"not": deep}
    for where in (deep, {"or": [{"n": i} for i in range(100)]}):
        with pytest.raises(LimitReached):
            await filled.query("thing", where=where)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(min_size=1, max_size=30), value=scalars)
async def test_no_name_of_a_field_escapes_its_quotes(
    filled: Entities, name: str, value: Any
) -> None:
    try:
        page = await filled.query(
            "thing",
            where={f"data.{name}": {"ne": value, "in": [value], "like": "x", "exists": True}},
            sort=[f"data.{name}"],
            fields=[f"data.{name}"],
        )
    except (InvalidInput, LimitReached):
        return
    assert page.items == []


@pytest.mark.parametrize(
    "name", ["a'b", "a\\", "a\\'; --", 'a"b', "$1", "a$$b", "ä😀", "a/*", "\n"]
)
async def test_a_field_of_any_name_is_found(project_db: Database, name: str) -> None:
    entities = Entities(project_db)
    await entities.types.define(
        "odd", {"type": "object", "properties": {name: {"type": "integer"}}, "x-indexed": [name]}
    )
    made = await entities.create("odd", {name: 1})
    await entities.create("odd", {name: 2})
    page = await entities.query("odd", where={name: 1}, sort=[f"-{name}"], fields=[name])
    assert [(r.id, r.data) for r in page.items] == [(made.id, {name: 1})]
