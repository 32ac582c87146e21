"""The entities tools, through the boundary that every client passes."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from undercroft.entities.tools import tools

Call = Callable[..., Awaitable[dict[str, Any]]]

TASK = {"title": "Write the tests", "status": "pending"}
NOTE = {"type": "object", "properties": {"text": {"type": "string"}}}


def test_the_tools_cost_an_agent_at_most_1300_tokens() -> None:
    listed = [
        {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
        | {"annotations": tool.annotations}
        for tool in tools.tools
    ]
    text = json.dumps(listed, separators=(",", ":"), ensure_ascii=False)
    assert len(text) <= 5_200


async def test_a_record_lives_through_all_tools(does: Call) -> None:
    await does("define_entity_type", name="note", schema=NOTE, description="A note")
    listed = await does("list_entity_types")
    assert [item["name"] for item in listed["items"]] == ["note", "task", "vendor"]
    assert (await does("get_entity_type", name="note"))["schema"] == NOTE
    made = await does("create_entity", type="task", data=TASK)
    assert made["version"] == 1
    assert "data" not in made
    entity = made["id"]
    patched = await does("update_entity", id=entity, version=1, patch={"status": "blocked"})
    assert patched["version"] == 2
    assert (await does("get_entity", id=entity))["data"] == TASK | {"status": "blocked"}
    assert (await does("get_entity", id=entity, fields=["title"]))["data"] == {
        "title": TASK["title"]
    }
    await does("undo", id=entity, version=2)
    await does("delete_entity", id=entity, version=3)
    await does("restore_entity", id=entity, version=4)
    history = await does("get_entity_history", id=entity)
    assert [e["operation"] for e in history["items"]] == [
        "restore",
        "delete",
        "undo",
        "update",
        "create",
    ]


async def test_batches_are_written_and_found(does: Call) -> None:
    batch = await does("create_entities", type="task", records=[TASK, TASK])
    changes = [item | {"patch": {"assignee": None, "priority": "low"}} for item in batch["items"]]
    assert [i["version"] for i in (await does("update_entities", changes=changes))["items"]] == [
        2,
        2,
    ]
    found = await does(
        "query_entities", type="task", where={"priority": "low"}, fields=["title"], count=True
    )
    assert found["count"] == 2
    assert set(found["items"][0]) == {"id", "version", "data"}


async def test_a_retry_with_its_key_changes_nothing_more(call: Call, project: str) -> None:
    first = await call(
        "create_entity", project=project, type="task", data=TASK, idempotency_key="a"
    )
    again = await call(
        "create_entity", project=project, type="task", data=TASK, idempotency_key="a"
    )
    assert first == again
    key = {"project": project, "idempotency_key": "b"}
    change = {"id": first["id"], "version": 1, "patch": {"status": "blocked"}}
    assert await call("update_entity", **key, **change) == await call(
        "update_entity", **key, **change
    )
    count = await call("query_entities", project=project, type="task", count=True)
    assert count["count"] == 1
    defined = {"name": "note", "schema": NOTE, "idempotency_key": "c"}
    one = await call("define_entity_type", project=project, **defined)
    assert one == await call("define_entity_type", project=project, **defined)
    assert (await call("create_entity", project=project, type="note", data={}))["version"] == 1


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("create_entity", {"type": "tsak", "data": TASK}, "not_found"),
        ("create_entity", {"type": "task", "data": {}}, "invalid_input"),
        ("create_entity", {"type": "task", "data": TASK | {"a": "\x00"}}, "invalid_input"),
        ("get_entity", {"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}, "not_found"),
        ("get_entity", {"id": "x"}, "invalid_input"),
        ("get_entity_history", {"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}, "not_found"),
        ("query_entities", {"type": "task", "where": {"x": 1}}, "invalid_input"),
        ("query_entities", {"type": "task", "limit": 0}, "invalid_input"),
        ("query_entities", {"type": "task", "cursor": "?"}, "invalid_input"),
        ("query_entities", {"type": "\x00"}, "invalid_input"),
        ("query_entities", {"type": "x' OR true"}, "not_found"),
        ("create_entities", {"type": "task", "records": []}, "invalid_input"),
        ("update_entities", {"changes": [{"id": "x"}]}, "invalid_input"),
        ("define_entity_type", {"name": "n", "schema": {"type": "string"}}, "invalid_input"),
        ("get_entity_type", {"name": "nope"}, "not_found"),
        ("list_entity_types", {"cursor": "?"}, "invalid_input"),
    ],
)
async def test_what_goes_wrong_is_told_in_our_words(
    call: Call, project: str, tool: str, arguments: dict[str, Any], code: str
) -> None:
    body = await call(tool, project=project, **arguments)
    assert body["code"] == code
    assert "workflow." not in json.dumps(body)


async def test_a_type_defined_under_a_key_gets_its_indexes_on_first_use(
    call: Call, project: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "x-indexed": ["n"]}
    await call(
        "define_entity_type", project=project, name="note", schema=schema, idempotency_key="k"
    )
    await call("create_entity", project=project, type="note", data={"n": 1})
    async with asyncio.timeout(10):
        while True:
            body = await call("get_entity_type", project=project, name="note")
            if [one["state"] for one in body["indexes"]] == ["ready"]:
                return
            await asyncio.sleep(0.02)
