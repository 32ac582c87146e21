"""Pages, their order and their cursors."""

import uuid
from typing import Any

import pytest

from undercroft.db.database import Database
from undercroft.entities import search
from undercroft.entities.service import Entities
from undercroft.errors import InvalidInput, LimitReached
from undercroft.paging import encode_cursor

THING = {
    "type": "object",
    "properties": {
        "s": {"type": "string"},
        "n": {"type": "number"},
        "m": {},
        "t": {"type": "string", "format": "date-time"},
    },
    "x-indexed": ["n", "t"],
}


@pytest.fixture
async def filled(project_db: Database) -> Entities:
    entities = Entities(project_db)
    await entities.types.define("thing", THING)
    return entities


async def test_the_default_order_is_newest_first(filled: Entities) -> None:
    made = [(await filled.create("thing", {"n": i})).id for i in range(5)]
    assert [r.id for r in (await filled.query("thing")).items] == made[::-1]


async def test_a_cursor_belongs_to_its_query(filled: Entities) -> None:
    await filled.create_many("thing", [{"n": i} for i in range(5)])
    cursor = (await filled.query("thing", sort=["n"], limit=2)).next_cursor or ""
    for other in ({"sort": ["-n"]}, {"sort": ["n"], "where": {"n": 1}}, {"sort": ["s"]}):
        with pytest.raises(InvalidInput):
            await filled.query("thing", limit=2, cursor=cursor, **other)


@pytest.mark.parametrize("bad", ["x", "", "2026-13-99", "nan", "'; --", "\x00", "1e9999x"])
async def test_a_forged_cursor_is_refused(filled: Entities, bad: str) -> None:
    for sort in (["n"], ["t"], ["version"], ["id"]):
        digest = search.Request(type="thing", sort=sort).digest
        values = [bad] if sort == ["id"] else [bad, str(uuid.uuid4())]
        with pytest.raises(InvalidInput):
            await filled.query("thing", sort=sort, cursor=encode_cursor([digest, *values]))


@pytest.mark.parametrize("value", ["x" * 10_000, [1] * 4_000, "ä\n" * 4_000], ids=type)
async def test_large_records_fill_a_page_early(filled: Entities, value: Any) -> None:
    """Whether PostgreSQL's text of them is longer than ours, as for lists, or not."""
    await filled.create_many("thing", [{"m": value} for _ in range(20)])
    page = await filled.query("thing", limit=50)
    assert 1 <= len(page.items) <= 5
    seen = len(page.items)
    while page.next_cursor:
        page = await filled.query("thing", limit=50, cursor=page.next_cursor)
        seen += len(page.items)
    assert seen == 20


async def test_a_record_larger_than_a_page_is_readable_by_its_fields(filled: Entities) -> None:
    await filled.create("thing", {"m": "x" * 60_000, "s": "a"})
    with pytest.raises(LimitReached):
        await filled.query("thing")
    assert (await filled.query("thing", fields=["s"])).items[0].data == {"s": "a"}
