"""Indexes that types ask for: built beside writers, used, mended and dropped."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from undercroft.app.app import App
from undercroft.db.database import Database
from undercroft.entities import search
from undercroft.entities.indexing import IndexKeeper, wanted
from undercroft.entities.service import Entities
from undercroft.entities.types_cache import TypeCache

Connect = Callable[[str], Awaitable[asyncpg.Connection]]

JOB = {
    "type": "object",
    "properties": {
        "state": {"enum": ["new", "done"]},
        "rank": {"type": "integer"},
        "due": {"type": "string", "format": "date-time"},
        "note": {"type": "string"},
    },
    "x-indexed": ["rank", "due", ["state", "rank"]],
    "x-text": ["note"],
}


@pytest.fixture
async def entities(project_db: Database) -> Entities:
    entities = Entities(project_db)
    await entities.types.define("job", JOB)
    await project_db.cached(IndexKeeper).settled()
    return entities


async def present(connection: asyncpg.Connection) -> dict[str, bool]:
    rows = await connection.fetch(
        "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = 'workflow.entities'::regclass AND c.relname LIKE 'entity\\_x\\_job%'"
    )
    return {row[0]: row[1] for row in rows}


async def test_a_type_tells_the_state_of_its_indexes(entities: Entities) -> None:
    indexes = (await entities.types.get("job")).indexes
    assert indexes is not None
    assert [(list(one.fields), one.state) for one in indexes] == [
        (["rank"], "ready"),
        (["due"], "ready"),
        (["state", "rank"], "ready"),
        (["note", "(words)"], "ready"),
    ]


async def test_indexes_that_no_type_wants_any_more_are_dropped(
    entities: Entities, project_db: Database, connect: Connect
) -> None:
    connection = await connect(project_db.name)
    assert len(await present(connection)) == 4
    await entities.types.define("job", JOB | {"x-indexed": ["rank"], "x-text": []})
    await project_db.cached(IndexKeeper).settled()
    assert list(await present(connection)) == [wanted("job", JOB)[0].name]


async def test_a_half_made_index_is_rebuilt(
    entities: Entities, project_db: Database, connect: Connect
) -> None:
    connection = await connect(project_db.name)
    name = wanted("job", JOB)[0].name
    await spoil(connection, name)
    assert (await present(connection))[name] is False
    project_db.cached(IndexKeeper).kick(project_db)
    await project_db.cached(IndexKeeper).settled()
    assert (await present(connection))[name] is True


async def spoil(connection: asyncpg.Connection, name: str) -> None:
    """Leave an index as a server that dies while building it does: a unique build that fails."""
    definition = await connection.fetchval(f"SELECT pg_get_indexdef('workflow.{name}'::regclass)")
    await owning(connection)
    await connection.execute(f"DROP INDEX workflow.{name}")
    await connection.execute("RESET ROLE")
    for _ in range(2):
        await connection.execute(
            "INSERT INTO workflow.entities (schema_name, schema_version, data)"
            " VALUES ('job', 1, '{}')"
        )
    await owning(connection)
    unique = definition.replace("CREATE INDEX", "CREATE UNIQUE INDEX CONCURRENTLY")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(unique.replace(", id)", ")"))
    await connection.execute("RESET ROLE")


async def owning(connection: asyncpg.Connection) -> None:
    owner = await connection.fetchval(
        "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'entities'"
    )
    await connection.execute(f"SET ROLE {owner}")


AT_WORK = "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()"


async def test_writers_go_on_while_an_index_is_built(
    entities: Entities, project_db: Database, connect: Connect
) -> None:
    """The build is held half-way by an old transaction; a write must pass meanwhile."""
    old, watcher = await connect(project_db.name), await connect(project_db.name)
    transaction = old.transaction(isolation="repeatable_read")
    await transaction.start()
    # Having written, it makes a concurrent build wait for its end.
    await old.execute(
        "INSERT INTO workflow.entities (schema_name, schema_version, data) VALUES ('task', 1, '{}')"
    )
    more = JOB | {"x-indexed": [*JOB["x-indexed"], ["due", "rank"]]}
    await entities.types.define("task_like", {"type": "object"})
    building = asyncio.create_task(define_and_settle(entities, project_db, more))
    async with asyncio.timeout(15):
        while not await watcher.fetchval(AT_WORK):
            assert not building.done()
            await asyncio.sleep(0.01)
        made = await entities.create("task_like", {"rank": 1})
        await entities.update(made.id, 1, patch={"rank": 2})
        during = await entities.create("job", {"rank": 7, "due": "2026-01-01T00:00:00Z"})
    assert await watcher.fetchval(AT_WORK) == 1
    states = (await entities.types.get("job")).indexes
    assert states is not None
    assert [one.state for one in states] == ["ready", "ready", "ready", "building", "ready"]
    await transaction.commit()
    await building
    states = (await entities.types.get("job")).indexes
    assert states is not None
    assert {one.state for one in states} == {"ready"}
    found = await entities.query("job", where={"due": "2026-01-01T00:00:00Z"})
    assert [record.id for record in found.items] == [during.id]


async def define_and_settle(entities: Entities, db: Database, schema: dict[str, Any]) -> None:
    await entities.types.define("job", schema)
    await db.cached(IndexKeeper).settled()


@pytest.mark.parametrize(
    ("request_", "index"),
    [
        ({"where": {"rank": {"gte": 100}}, "sort": ["rank"]}, 0),
        ({"where": {"rank": {"lt": 9000}}, "sort": ["-rank"]}, 0),
        ({"where": {"due": {"gte": "2026-02-01"}}, "sort": ["due"]}, 1),
        ({"where": {"state": "new"}, "sort": ["rank"]}, 2),
        ({"where": {"state": "new", "rank": {"lt": 4000}}, "sort": ["-rank"]}, 2),
    ],
)
async def test_a_page_is_read_off_its_index_and_stops_at_the_limit(
    entities: Entities,
    project_db: Database,
    connect: Connect,
    request_: dict[str, Any],
    index: int,
) -> None:
    await fill(entities)
    await analyze(await connect(project_db.name))
    plan = await explain(project_db, search.Request(type="job", limit=20, **request_))
    nodes = list(walk(plan))
    names = {node["Index Name"] for node in nodes if "Index Name" in node}
    assert wanted("job", JOB)[index].name in names, plan
    assert not [node for node in nodes if node["Node Type"] == "Sort"]
    assert max(node["Actual Rows"] for node in nodes) <= 21
    # The next page begins in the index, too.
    first = await entities.query("job", limit=20, **request_)
    after = search.Request(type="job", limit=20, cursor=first.next_cursor or "", **request_)
    assert max(n["Actual Rows"] for n in walk(await explain(project_db, after))) <= 21


async def test_words_are_looked_up_in_their_index(
    entities: Entities, project_db: Database, connect: Connect
) -> None:
    await fill(entities)
    await analyze(await connect(project_db.name))
    request = search.Request(type="job", text="number 77")
    plan = await explain(project_db, request, generic=False)
    assert wanted("job", JOB)[3].name in {node.get("Index Name") for node in walk(plan)}


async def analyze(connection: asyncpg.Connection) -> None:
    await owning(connection)
    await connection.execute("ANALYZE workflow.entities")


async def fill(entities: Entities) -> None:
    for part in range(20):
        await entities.create_many(
            "job",
            [
                {
                    "state": "new" if i % 3 else "done",
                    "rank": part * 500 + i,
                    "due": f"2026-{1 + i % 12:02}-01T00:00:00Z",
                    "note": f"number {part * 500 + i}",
                }
                for i in range(500)
            ],
        )


async def explain(db: Database, request: search.Request, *, generic: bool = True) -> dict[str, Any]:
    """The plan that any parameters get: a prepared statement keeps one in the long run."""
    kind = await db.cached(TypeCache).get(db, request.type)
    query, *parameters = search.statement(request, kind)
    async with db.transaction() as bound:
        if generic:
            await bound.execute_text("SET LOCAL plan_cache_mode = force_generic_plan")
        await bound.execute_text("SET LOCAL statement_timeout = '20s'")
        rows = await bound.fetch_text(
            f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {query.text}", *parameters
        )
    return dict(json.loads(rows[0][0])[0]["Plan"])


def walk(plan: dict[str, Any]) -> Any:
    yield plan
    for part in plan.get("Plans", []):
        yield from walk(part)


async def test_a_record_of_any_allowed_size_fits_its_indexes(project_db: Database) -> None:
    entities = Entities(project_db)
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 250},
            "b": {"type": "string", "maxLength": 250},
        },
        "x-indexed": [["a", "b"]],
    }
    await entities.types.define("wide", schema)
    await project_db.cached(IndexKeeper).settled()
    chars = random.Random(1)  # noqa: S311 - not a secret
    widest = [
        "".join(chr(chars.randrange(0x10000, 0x10FFFF)) for _ in range(250)) for _ in range(2)
    ]
    made = await entities.create("wide", {"a": widest[0], "b": widest[1]})
    assert (await entities.query("wide", where={"a": widest[0]})).items[0].id == made.id


async def test_behind_a_pooler_indexes_are_built_in_a_transaction(
    entities: Entities,
    project_db: Database,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Database, "behind_pooler", property(lambda _: True))
    await entities.types.define("job", JOB | {"x-indexed": ["due"]})
    await project_db.cached(IndexKeeper).settled()
    built = await present(await connect(project_db.name))
    assert built == {one.name: True for one in wanted("job", JOB | {"x-indexed": ["due"]})}


async def test_an_index_that_cannot_be_built_is_told_and_costs_the_type_nothing(
    entities: Entities, project_db: Database, connect: Connect
) -> None:
    """A record too wide for a btree, put there past the type's own bounds."""
    chars = random.Random(2)  # noqa: S311 - not a secret
    wide = "".join(chr(chars.randrange(0x10000, 0x10FFFF)) for _ in range(2_000))
    await entities.types.define("late", {"type": "object"})
    connection = await connect(project_db.name)
    keeper = project_db.cached(IndexKeeper)
    await keeper.settled()
    made = await entities.create("late", {"name": wide})
    # The definition replaced by hand, as a restored backup might have it.
    await connection.execute(
        "UPDATE workflow.entity_schemas SET schema_definition = $1 WHERE schema_name = 'late'",
        json.dumps(
            {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": 9}},
                "x-indexed": ["name"],
            }
        ),
    )
    keeper.kick(project_db)
    await keeper.settled()
    states = (await entities.types.get("late")).indexes
    assert states is not None
    assert [one.state for one in states] == ["failed"]
    await keeper.settled()
    assert (await entities.get(made.id)).data == {"name": wide}
    assert (await entities.create("late", {"name": "short"})).version == 1


async def test_a_build_at_work_ends_with_the_application(
    entities: Entities, app: App, project_db: Database, connect: Connect
) -> None:
    connection = await connect(project_db.name)
    at_work = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'undercroft'"
    )
    async with connection.transaction():
        await connection.execute("LOCK TABLE workflow.entities IN SHARE MODE")
        await entities.types.define("job", JOB | {"x-indexed": ["state"]})
        async with asyncio.timeout(20):
            while not await connection.fetchval(f"{at_work} AND wait_event_type = 'Lock'"):
                await connection.execute("SELECT pg_stat_clear_snapshot()")
        await app.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        assert await connection.fetchval(at_work) == 0
