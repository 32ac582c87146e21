"""Records through the service: created, read, changed, deleted, restored, undone."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from undercroft.db.database import Database
from undercroft.entities.service import Entities
from undercroft.errors import Conflict, InvalidInput, LimitReached, NotFound

TASK = {"title": "Write the tests", "status": "pending"}


@pytest.fixture
def entities(project_db: Database) -> Entities:
    return Entities(project_db)


async def test_a_record_comes_back_as_it_was_stored(entities: Entities) -> None:
    made = await entities.create(
        "task", TASK | {"tags": ["ä", "🦀"], "due_date": "2026-01-01T00:00:00Z"}
    )
    record = await entities.get(made.id)
    assert record.data == TASK | {"tags": ["ä", "🦀"], "due_date": "2026-01-01T00:00:00Z"}
    assert (record.type, record.version, record.created_by, record.updated_by) == (
        "task",
        1,
        "test",
        "test",
    )
    assert record.created_at == made.created_at


async def test_data_that_does_not_fit_its_type_names_each_place(entities: Entities) -> None:
    with pytest.raises(InvalidInput) as refused:
        await entities.create("task", {"title": "", "status": "x" * 500, "tags": [1]})
    violations = refused.value.data["violations"]
    assert [v["path"] for v in violations] == ["/title", "/status", "/tags/0"]
    assert "x" * 61 not in str(violations)


async def test_an_unknown_type_names_the_nearest(entities: Entities) -> None:
    with pytest.raises(NotFound) as missing:
        await entities.create("tusk", TASK)
    assert "task" in missing.value.hint


async def test_a_patch_changes_only_what_it_names_and_null_removes(entities: Entities) -> None:
    made = await entities.create("task", TASK | {"assignee": "ada", "priority": "low"})
    done = await entities.update(made.id, 1, patch={"status": "completed", "assignee": None})
    assert done.version == 2
    assert (await entities.get(made.id)).data == {
        "title": "Write the tests",
        "status": "completed",
        "priority": "low",
    }


async def test_a_stale_version_is_refused_with_what_the_record_is_now(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    await entities.update(made.id, 1, patch={"status": "blocked"})
    with pytest.raises(Conflict) as conflict:
        await entities.update(made.id, 1, data=TASK | {"status": "completed"})
    assert conflict.value.data["current_version"] == 2
    assert conflict.value.data["updated_by"] == "test"
    assert conflict.value.data["deleted"] is False
    assert (await entities.get(made.id)).data["status"] == "blocked"


@pytest.mark.parametrize("both", [{}, {"data": TASK, "patch": {}}])
async def test_an_update_takes_either_data_or_a_patch(entities: Entities, both: dict) -> None:
    made = await entities.create("task", TASK)
    with pytest.raises(InvalidInput):
        await entities.update(made.id, 1, **both)


async def test_a_deleted_record_is_gone_until_it_is_restored(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    deleted = await entities.delete(made.id, 1)
    assert deleted.version == 2
    with pytest.raises(NotFound) as gone:
        await entities.get(made.id)
    assert "deleted" in gone.value.message
    assert (await entities.get(made.id, include_deleted=True)).deleted_at is not None
    with pytest.raises(NotFound):
        await entities.update(made.id, 2, patch={"status": "blocked"})
    assert (await entities.query("task")).items == []
    assert (await entities.restore(made.id, 2)).version == 3
    assert (await entities.get(made.id)).data == TASK


async def test_restoring_what_is_not_deleted_is_a_conflict(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    with pytest.raises(Conflict):
        await entities.restore(made.id, 1)


async def test_history_tells_who_changed_what_with_old_and_new_values(
    project_db: Database, entities: Entities
) -> None:
    made = await entities.create("task", TASK)
    await Entities(project_db.acting_as("bea")).update(
        made.id, 1, patch={"status": "blocked", "assignee": "bea"}
    )
    await entities.delete(made.id, 2)
    await entities.restore(made.id, 3)
    page = await entities.history(made.id)
    assert [(e.version, e.operation, e.changed_by) for e in page.items] == [
        (4, "restore", "test"),
        (3, "delete", "test"),
        (2, "update", "bea"),
        (1, "create", "test"),
    ]
    assert sorted(page.items[2].changes, key=lambda c: c["path"]) == [
        {"path": "/assignee", "new": "bea"},
        {"path": "/status", "old": "pending", "new": "blocked"},
    ]
    assert page.items[3].changes == [{"path": "", "new": TASK}]


async def test_history_is_read_in_pages(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    for version in range(1, 8):
        await entities.update(made.id, version, patch={"assignee": str(version)})
    first = await entities.history(made.id, limit=3)
    second = await entities.history(made.id, limit=3, cursor=first.next_cursor or "")
    third = await entities.history(made.id, limit=3, cursor=second.next_cursor or "")
    versions = [e.version for page in (first, second, third) for e in page.items]
    assert versions == [8, 7, 6, 5, 4, 3, 2, 1]
    assert third.next_cursor is None


async def test_the_history_of_a_large_record_is_whole(entities: Entities) -> None:
    made = await entities.create("task", TASK | {"description": "x" * 100_000})
    for version in range(1, 16):
        await entities.update(made.id, version, patch={"assignee": str(version)})
    versions: list[int] = []
    cursor = ""
    while True:
        page = await entities.history(made.id, limit=100, cursor=cursor)
        versions += [entry.version for entry in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert versions == list(range(16, 0, -1))
    assert page.items[-1].changes[0]["cut"] is True


async def test_a_change_in_very_many_places_still_has_an_entry(entities: Entities) -> None:
    await entities.types.define("wide", {"type": "object"})
    made = await entities.create("wide", {f"{i}" * 100: "a" for i in range(100, 290)})
    await entities.update(made.id, 1, data={f"{i}" * 100: "b" for i in range(100, 290)})
    entry = (await entities.history(made.id)).items[0]
    assert entry.changes == [{"path": "", "cut": True, "places": 190}]


async def test_undo_takes_the_last_change_back_as_a_new_version(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    await entities.update(made.id, 1, patch={"status": "blocked"})
    assert (await entities.undo(made.id, 2)).version == 3
    assert (await entities.get(made.id)).data == TASK
    # And undo of the undo brings the change back.
    await entities.undo(made.id, 3)
    assert (await entities.get(made.id)).data["status"] == "blocked"
    history = await entities.history(made.id)
    assert [e.operation for e in history.items] == ["undo", "undo", "update", "create"]


async def test_undo_goes_back_to_any_version_and_over_deletion(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    await entities.update(made.id, 1, patch={"status": "blocked"})
    await entities.delete(made.id, 2)
    await entities.undo(made.id, 3)
    assert (await entities.get(made.id)).data["status"] == "blocked"
    await entities.undo(made.id, 4, to_version=1)
    assert (await entities.get(made.id)).data == TASK
    await entities.undo(made.id, 5, to_version=3)
    with pytest.raises(NotFound):
        await entities.get(made.id)


async def test_undoing_a_creation_deletes_the_record(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    await entities.undo(made.id, 1)
    with pytest.raises(NotFound):
        await entities.get(made.id)
    await entities.undo(made.id, 2)
    assert (await entities.get(made.id)).data == TASK


async def test_undo_refuses_a_version_that_never_was(entities: Entities) -> None:
    made = await entities.create("task", TASK)
    for wrong in (1, 2, 99, -1):
        with pytest.raises(NotFound):
            await entities.undo(made.id, 1, to_version=wrong)
    with pytest.raises(NotFound):
        await entities.undo(uuid.uuid4(), 1)


async def test_after_an_undo_a_plain_change_in_the_same_transaction_is_an_update(
    project_db: Database, entities: Entities
) -> None:
    made = await entities.create("task", TASK)
    await entities.update(made.id, 1, patch={"status": "blocked"})
    async with project_db.transaction() as bound:
        both = Entities(bound)
        await both.undo(made.id, 2)
        await both.update(made.id, 3, patch={"assignee": "ada"})
    assert [e.operation for e in (await entities.history(made.id)).items][:2] == ["update", "undo"]


async def test_of_64_writers_of_one_version_one_wins_and_the_others_learn_of_it(
    entities: Entities,
) -> None:
    made = await entities.create("task", TASK)

    async def write(writer: int) -> int | Conflict:
        try:
            return (await entities.update(made.id, 1, patch={"assignee": str(writer)})).version
        except Conflict as conflict:
            return conflict

    results = await asyncio.gather(*(write(writer) for writer in range(64)))
    assert [r for r in results if isinstance(r, int)] == [2]
    assert {r.data["current_version"] for r in results if isinstance(r, Conflict)} == {2}
    winner = str(next(i for i, r in enumerate(results) if isinstance(r, int)))
    assert (await entities.get(made.id)).data["assignee"] == winner


async def test_64_counters_lose_no_increment(entities: Entities) -> None:
    await entities.types.define("counter", {"type": "object"})
    made = await entities.create("counter", {"n": 0})

    async def add() -> None:
        while True:
            record = await entities.get(made.id)
            assert record.data is not None
            try:
                await entities.update(made.id, record.version, patch={"n": record.data["n"] + 1})
            except Conflict:
                continue
            return

    await asyncio.gather(*(add() for _ in range(64)))
    record = await entities.get(made.id)
    assert (record.data, record.version) == ({"n": 64}, 65)


async def test_a_rolled_back_change_never_becomes_the_base_of_another(
    project_db: Database,
    entities: Entities,
    connect: Callable[[str], Awaitable[asyncpg.Connection]],
) -> None:
    made = await entities.create("task", TASK)

    async def give_up() -> None:
        async with project_db.transaction() as bound:
            await Entities(bound).update(made.id, 1, patch={"assignee": "ghost"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await give_up()
    # Another process makes the real version 2, while this one remembers the one that never was.
    await (await connect(project_db.name)).execute(
        'UPDATE workflow.entities SET version = 2, data = data || \'{"status": "blocked"}\''
    )
    await entities.update(made.id, 2, patch={"priority": "low"})
    assert (await entities.get(made.id)).data == TASK | {"status": "blocked", "priority": "low"}


async def test_a_batch_is_stored_in_order_or_not_at_all(entities: Entities) -> None:
    batch = await entities.create_many("task", [TASK | {"title": str(i)} for i in range(500)])
    assert len(batch.items) == 500
    third = await entities.get(uuid.UUID(batch.items[2]["id"]))
    assert third.data is not None
    assert third.data["title"] == "2"
    with pytest.raises(InvalidInput) as refused:
        await entities.create_many("task", [TASK, {"title": "x"}, TASK, {"status": "pending"}])
    assert [e["index"] for e in refused.value.data["errors"]] == [1, 3]
    assert (await entities.query("task", count=True, limit=1)).count == 500


async def test_a_batch_of_changes_is_done_whole_or_not_at_all(entities: Entities) -> None:
    made = [await entities.create("task", TASK) for _ in range(3)]
    vendor = await entities.create("vendor", {"name": "v", "status": "broken"})
    changes = [{"id": str(m.id), "version": 1, "patch": {"assignee": "ada"}} for m in made]
    changes.append({"id": str(vendor.id), "version": 1, "data": {"name": "w", "status": "broken"}})
    done = await entities.update_many(changes)
    assert [i["version"] for i in done.items] == [2, 2, 2, 2]
    assert [i["id"] for i in done.items] == [c["id"] for c in changes]
    with pytest.raises(Conflict) as refused:
        await entities.update_many([{**changes[0], "version": 2}, changes[1]])
    assert [e["index"] for e in refused.value.data["errors"]] == [1]
    assert (await entities.get(made[0].id)).version == 2


async def test_batches_in_opposite_order_never_wait_for_each_other(entities: Entities) -> None:
    made = [await entities.create("task", TASK) for _ in range(20)]

    async def change(order: int, version: int) -> int:
        changes = [{"id": str(m.id), "version": version, "patch": {}} for m in made[::order]]
        try:
            return (await entities.update_many(changes)).items[0]["version"]
        except Conflict:
            return 0

    for version in range(1, 11):
        both = await asyncio.gather(change(1, version), change(-1, version))
        assert sorted(both) == [0, version + 1]


@pytest.mark.parametrize(
    "bad",
    [
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"n": float("nan")},
        {"n": float("inf")},
        {"n": 10**400},
        {"n": object()},
        {"a\x00": 1},
    ],
)
async def test_what_jsonb_cannot_hold_is_refused(entities: Entities, bad: dict) -> None:
    await entities.types.define("anything", {"type": "object"})
    with pytest.raises(InvalidInput):
        await entities.create("anything", bad)


async def test_text_that_only_looks_unstorable_is_stored(entities: Entities) -> None:
    await entities.types.define("anything", {"type": "object"})
    data = {"a": "\\u0000 NaN Infinity " + "7" * 400, "b": ["{" * 100]}
    made = await entities.create("anything", data)
    assert (await entities.get(made.id)).data == data


def nested(levels: int) -> dict[str, object]:
    document: dict[str, object] = {}
    for _ in range(levels):
        document = {"a": document}
    return document


@pytest.mark.parametrize(
    "large",
    [
        pytest.param({"a": "x" * 300_000}, id="300,000 characters"),
        pytest.param(nested(70), id="70 levels"),
        pytest.param(nested(100_000), id="100,000 levels"),
    ],
)
async def test_a_record_has_bounds(entities: Entities, large: dict[str, object]) -> None:
    await entities.types.define("anything", {"type": "object"})
    with pytest.raises(LimitReached):
        await entities.create("anything", large)


async def test_a_batch_has_bounds(entities: Entities) -> None:
    await entities.types.define("anything", {"type": "object"})
    with pytest.raises(InvalidInput):
        await entities.create_many("anything", [{}] * 501)
    with pytest.raises(LimitReached):
        await entities.create_many("anything", [{"a": "x" * 200_000}] * 30)
