"""Single items: what they may be and become, what is kept of it, and the way back."""

from __future__ import annotations

import asyncio
import json
import uuid

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work


async def test_a_change_wants_the_version_that_was_read(work: Work, make) -> None:
    item = await make("a", labels=["x", "x"])
    changed = await work.update(item, {"title": "b", "due": "2030-01-01T00:00:00+02:00"}, version=1)
    assert (changed.version, (await work.get(item)).labels) == (2, ["x"])
    with pytest.raises(Conflict, match="is in version 2, changed by test"):
        await work.update(item, {"title": "c"}, version=1)
    with pytest.raises(InvalidInput, match="version that you read"):
        await work.update(item, {"title": "c"})
    for fields in ({}, {"colour": 1}, {"priority": 9}, {"title": ""}, {"due": "soon"}):
        with pytest.raises(InvalidInput):
            await work.update(item, fields, version=2)
    cleared = await work.update(item, {"due": None, "assignee": ""}, version=2)
    assert cleared.version == 3
    assert (await work.get(item)).due is None


async def test_of_many_changes_at_once_to_one_version_one_is_made(work: Work, make) -> None:
    item = await make("a")
    tries = (work.update(item, {"title": f"title {n}"}, version=1) for n in range(8))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in done) == 1
    assert sum(isinstance(one, Conflict) for one in done) == 7


async def test_a_status_goes_only_where_its_kind_allows(work: Work, make) -> None:
    item = await make("a")
    shown = await work.get(item)
    assert "completed" in (shown.next_statuses or ())
    done = await work.finish(item)
    with pytest.raises(Conflict, match="does not allow"):
        await work.update(item, {"status": "in_review"}, version=done.version)
    with pytest.raises(InvalidInput, match="no such kind"):
        await work.update(item, {"status": "merged"}, version=done.version)


async def test_a_kind_of_the_projects_own_has_statuses_of_its_own(work: Work, make) -> None:
    states = [
        {"status": "reported", "category": "todo", "to": []},
        {"status": "fixing", "category": "doing", "to": ["fixed"]},
        {"status": "fixed", "category": "done", "to": []},
    ]
    await work.define_kind("bug", states, "Something is wrong")
    bug = await make("crash", kind="bug")
    claim = await work.claim(bug)
    assert claim.status == "fixing"
    await work.release(bug, claim.epoch)
    claim = await work.claim(bug)
    assert (await work.finish(bug, epoch=claim.epoch)).status == "fixed"
    with pytest.raises(Conflict, match="does not allow"):
        await work.update(bug, {"status": "reported"}, version=5)
    with pytest.raises(Conflict, match="exists already"):
        await work.define_kind("bug", states)
    for wrong in (states[:2], [*states, {"status": "x", "category": "odd"}], [*states, states[0]]):
        with pytest.raises(InvalidInput):
            await work.define_kind("odd", wrong)
    assert "bug" in {one["name"] for one in await work.kinds()}


async def test_what_is_open_has_an_open_parent(work: Work, make, move) -> None:
    parent = await make("parent")
    child = await make("child", parent)
    with pytest.raises(Conflict, match="still open"):
        await work.finish(parent)
    done = await work.finish(child)
    await work.finish(parent)
    with pytest.raises(Conflict, match="parent is closed"):
        await make("late", parent)
    with pytest.raises(Conflict, match="parent is closed"):
        await work.update(child, {"status": "pending"}, version=done.version)
    other = await make("other")
    with pytest.raises(Conflict, match="parent is closed"):
        await move(other, parent=parent)


async def test_a_child_that_meets_the_end_of_its_parent_is_refused_or_keeps_it_open(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    for _ in range(10):
        parent = await make("parent")
        await asyncio.gather(work.finish(parent), make("child", parent), return_exceptions=True)
    orphans = """
        SELECT c.id FROM workflow.work_items AS c
        JOIN workflow.work_items AS p ON p.id = c.parent_id
        WHERE c.is_open AND NOT p.is_open"""
    assert await sql.fetch(orphans) == []


async def test_what_is_deleted_together_comes_back_together(work: Work, make) -> None:
    top = await make("top")
    child = await make("child", top)
    early = await make("early", child)
    await work.delete(early, 1)
    assert (await work.delete(top, 1)).items == 2
    with pytest.raises(NotFound, match="is deleted") as deleted:
        await work.update(child, {"title": "x"}, version=2)
    assert deleted.value.hint == "restore_work with version 2 brings it back."
    assert (await work.query()).items == []
    with pytest.raises(Conflict, match="closed"):
        await work.restore(child, 2)
    assert (await work.restore(top, 2)).items == 2
    assert {one.title for one in (await work.query()).items} == {"top", "child"}
    with pytest.raises(Conflict, match="not deleted"):
        await work.restore(top, 3)


async def test_closed_work_is_archived_with_all_beneath(work: Work, make) -> None:
    top = await make("top")
    child = await make("child", top)
    with pytest.raises(Conflict, match="is pending"):
        await work.archive(top)
    await work.finish(child)
    await work.finish(top)
    assert (await work.archive(top)).items == 2
    assert (await work.get_plan()).items == []
    assert len((await work.get_plan(archived=True)).items) == 2
    assert (await work.archive(top, away=False)).items == 2


async def test_every_change_is_kept_with_who_made_it_and_can_be_undone(
    work: Work, make, move, sql: asyncpg.Connection
) -> None:
    item, parent = await make("first", labels=["a"]), await make("parent")
    await work.update(item, {"title": "second", "labels": []}, version=1)
    await move(item, parent=parent)
    claim = await work.claim(item, agent="ada")
    await work.finish(item, epoch=claim.epoch, outcome="done")
    versions = (await work.history(item)).items
    told = [(one.version, one.operation, one.agent) for one in versions]
    assert told == [
        (5, "finish", "ada"),
        (4, "claim", "ada"),
        (3, "move", None),
        (2, "update", None),
        (1, "create", None),
    ]
    assert {one.changed_by for one in versions} == {"test"}
    assert versions[3].changes == {"title": ["first", "second"], "labels": [["a"], []]}
    back = await work.undo(item, 5, to_version=1)
    shown = await work.get(item)
    assert (back.version, shown.title, shown.labels, shown.status) == (6, "first", ["a"], "pending")
    assert (shown.parent, shown.closed_at, shown.outcome) == (None, None, None)
    assert (await work.history(item, limit=1)).items[0].operation == "undo"
    with pytest.raises(NotFound):
        await work.undo(parent, 1)
    audit = await sql.fetch(
        "SELECT action, old_values ->> 'title' AS old FROM workflow.audit_log WHERE entity_id = $1"
        " ORDER BY version",
        item,
    )
    assert [(row["action"], row["old"]) for row in audit][:2] == [
        ("create", None),
        ("update", "first"),
    ]


async def test_history_is_nobodys_to_change(work: Work, make, app: App, project: str) -> None:
    await make("a")
    database = (await app.open(project)).database
    for statement in ("DELETE FROM workflow.work_history", "DELETE FROM workflow.work_items"):
        with pytest.raises(Exception, match="lacks a right"):
            await database.execute_text(statement)


async def test_an_item_names_records_and_only_such_as_exist(
    work: Work, app: App, project: str, make
) -> None:
    entities = await app.entities(project)
    record = await entities.create("task", {"title": "t", "status": "pending"})
    item = await make("a", entities=[str(record.id)])
    assert (await work.get(item)).entities == [record.id]
    with pytest.raises(NotFound, match="`entities`"):
        await make("b", entities=[str(uuid.uuid4())])


async def test_items_are_found_by_their_fields_in_pages(work: Work, make) -> None:
    epic = await make("epic", kind="epic")
    for n in range(7):
        await make(f"100% task_{n}", epic, labels=["even"] if n % 2 == 0 else [])
    found = await work.query(text="100% task_", where={"kind": "task"}, limit=4)
    rest = await work.query(
        text="100% task_", where={"kind": "task"}, limit=4, cursor=found.next_cursor
    )
    assert [one.title[-1] for one in (*found.items, *rest.items)] == list("6543210")
    assert rest.next_cursor is None
    even = await work.query(where={"labels": ["even"], "parent": epic})
    assert len(even.items) == 4
    assert (await work.query(text="task%")).items == []
    with pytest.raises(InvalidInput):
        await work.query(cursor="bm9wZQ")


async def test_ids_grow_with_the_project_and_are_told_apart_from_anything_else(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    short = await make("a")
    await sql.execute("SELECT nextval('workflow.work_numbers') FROM generate_series(1, 100000)")
    long = await make("b")
    assert (len(short), len(long)) == (10, 13)
    for wrong in ("1", "w-", "task:", short.upper(), f"{short}'"):
        with pytest.raises(InvalidInput, match="no id of a work item"):
            await work.get(wrong)
    with pytest.raises(NotFound):
        await work.get("w-aaaaaaaa")


async def test_times_are_such_as_every_client_can_read(work: Work, make) -> None:
    for due in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(InvalidInput, match="due"):
            await make("a", due=due)
    line = {"type": "item", "id": "w-aaaa0001", "kind": "task", "title": "a", "status": "pending"}
    for name in ("due", "created_at", "updated_at"):
        with pytest.raises(InvalidInput, match="years 1 to 9999"):
            await work.import_text(json.dumps({**line, name: "infinity"}))
    assert (await work.query()).items == []


async def test_a_deletion_is_undone_and_made_again_with_all_that_it_took_along(
    work: Work, make
) -> None:
    top = await make("top")
    child = await make("child", top)
    await work.delete(top, 1)
    assert (await work.undo(top, 2)).version == 3
    assert (await work.get(child)).deleted_at is None
    await work.update(top, {"title": "other"}, 3)
    again = await work.undo(top, 4, to_version=2)
    assert [(await work.get(one)).deleted_at is None for one in (top, child)] == [False, False]
    assert (await work.get(top)).title == "top"
    back = await work.undo(top, again.version, to_version=4)
    assert [(await work.get(one)).deleted_at is None for one in (top, child)] == [True, True]
    assert (await work.get(top)).title == "other"
    with pytest.raises(InvalidInput, match="to_version is below"):
        await work.undo(top, back.version, to_version=back.version)


async def test_nothing_that_is_there_has_a_parent_that_is_not(
    work: Work, make, sql: asyncpg.Connection
) -> None:
    top = await make("top")
    child = await make("child", top)
    await work.finish(child)
    with pytest.raises(asyncpg.PostgresError, match="open children"):
        await sql.execute(
            "UPDATE workflow.work_items SET deleted_at = now(), version = version + 1"
            " WHERE id = $1",
            top,
        )
    assert (await work.delete(top, 1)).items == 2


async def test_an_outside_name_with_an_underscore_is_found(work: Work, make) -> None:
    item = await make("a", external_ref="github:my_org/x#1")
    assert [one.id for one in (await work.query(text="github:my_org/x#1")).items] == [item]


async def test_a_text_longer_than_an_answer_is_never_lost_by_writing_it_back(
    work: Work, make
) -> None:
    item = await make("long", description="x" * 50_000, priority=0)
    shown = await work.get(item)
    assert shown.shortened == ["description"]
    with pytest.raises(InvalidInput, match="the rest of it would be lost"):
        await work.update(item, {"description": shown.description}, 1)
    changed = await work.update(item, {"description": "short…"}, 1)
    assert (await work.get(item)).shortened is None
    first = (await work.history(item)).items[-1]
    assert first.changes["priority"] == 0
    await work.delete(item, changed.version)
    found = (await work.query(where={"hidden": True})).items
    assert [one.id for one in found] == [item]
