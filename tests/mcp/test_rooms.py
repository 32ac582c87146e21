"""What a client sees of the rooms: tools, hints, resources, prompts, completion, progress."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp.server.mcpserver import MCPServer
from mcp_types import PromptReference, ResourceTemplateReference, ResourceUpdatedNotification

from undercroft.app import App, open_app
from undercroft.app.app import TOOLSETS
from undercroft.mcp.resources import Shelf
from undercroft.mcp.server import INSTRUCTIONS, Server
from undercroft.settings import Settings

from .conftest import PATIENCE

Json = dict[str, Any]
ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
TASK = {"title": "one", "status": "pending"}


def server_of(app: App) -> Server:
    return Server(app.boundary, Shelf(TOOLSETS, app.boundary), actor="", transport="http")


@asynccontextmanager
async def serving(settings: Settings, **more: Any) -> AsyncIterator[Client]:
    async with open_app(replace(settings, **more)) as app, Client(server_of(app)) as client:
        yield client


async def names(client: Client) -> set[str]:
    return {tool.name for tool in (await client.list_tools()).tools}


async def failure(client: Client, tool: str, **arguments: Any) -> Json:
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert result.structured_content is not None
    return dict(result.structured_content)


async def test_the_default_toolset_leaves_administration_out_and_says_where_it_is(
    settings: Settings,
) -> None:
    async with serving(settings, toolsets="default") as client:
        assert "archive_project" not in await names(client)
        refused = await failure(client, "archive_project", name="x")
    assert refused["code"] == "forbidden"
    assert "--toolsets default,projects_admin" in refused["hint"]
    async with serving(settings, toolsets="default,projects_admin") as client:
        assert {"archive_project", "create_entity"} <= await names(client)


async def test_read_only_offers_nothing_that_writes(settings: Settings) -> None:
    async with serving(settings, read_only=True) as client:
        tools = (await client.list_tools()).tools
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        assert {"query_entities", "list_projects"} <= {tool.name for tool in tools}
        refused = await failure(client, "create_entity", type="task", data=TASK)
    assert (refused["code"], refused["hint"]) == ("forbidden", "The server runs read-only.")


async def test_a_pinned_project_is_the_only_one(settings: Settings, app: App, project: str) -> None:
    await (await app.projects("test")).create(other := f"{project}_b")
    async with serving(settings, project=project) as client:
        listed = await client.call_tool("list_entity_types", {})
        assert listed.structured_content is not None
        assert listed.structured_content["project"] == project
        assert (await failure(client, "list_entity_types", project=other))["code"] == "forbidden"
        with pytest.raises(MCPError):
            await client.read_resource(f"undercroft://project/{other}/overview")


async def test_every_tool_says_what_it_does_to_the_world(settings: Settings) -> None:
    async with serving(settings) as client:
        hints = {t.name: t.annotations for t in (await client.list_tools()).tools}
    assert all(hint is not None and hint.open_world_hint is False for hint in hints.values())
    reading = {name for name, hint in hints.items() if hint and hint.read_only_hint}
    assert reading == {
        *("list_projects", "get_project", "list_entity_types", "get_entity_type"),
        *("get_entity", "query_entities", "get_entity_history"),
        *("semantic_search", "find_symbol", "find_related_code", "read_code"),
        *("get_index_status", "list_repositories"),
        *("list_ports", "get_port", "find_available_port", "list_port_ranges"),
        *("get_recommended_estimate", "list_executions", "get_estimation_report"),
        *("get_plan", "get_work", "query_work", "ready_work", "blocked_work"),
        *("get_work_history", "list_claims", "list_disputes", "list_work_kinds"),
        *("list_secrets", "get_secret", "get_secret_access_log", "list_secret_templates"),
    }
    destructive = {name for name, hint in hints.items() if hint and hint.destructive_hint}
    assert destructive == {"delete_entity", "remove_repository", "delete_secret", "delete_work"}
    idempotent = {name for name, hint in hints.items() if hint and hint.idempotent_hint}
    assert {"create_project", "archive_project", "define_entity_type"} <= idempotent
    assert "create_entity" not in idempotent


def test_the_instructions_name_only_tools_that_exist() -> None:
    assert len(INSTRUCTIONS) < 2_000
    known = {tool.name for toolset in TOOLSETS for tool in toolset.tools}
    words = {word.strip(".,:;()") for word in INSTRUCTIONS.split()}
    spoken = {word for word in words if word.count("_") and word.isidentifier()}
    assert spoken <= known | {"next_cursor", "idempotency_key", "outcome_unknown", "due_date"}
    assert {"create_project", "update_entity", "query_entities"} <= spoken


@ERAS
async def test_an_overview_and_its_types_are_resources(app: App, project: str, mode: str) -> None:
    await (await app.entities(project, "ada")).create("task", TASK)
    async with Client(server_of(app), mode=mode) as client:
        templates = (await client.list_resource_templates()).resource_templates
        assert {t.uri_template for t in templates} == {
            "undercroft://project/{project}/overview",
            "undercroft://project/{project}/types/{type}",
        }
        uri = f"undercroft://project/{project}/overview"
        seen = _json(await client.read_resource(uri))
        counts = {kind["name"]: kind["records"] for kind in seen["types"]}
        assert (seen["project"], counts) == (project, {"task": 1, "vendor": 0})
        (change,) = seen["changes"]
        assert (change["operation"], change["changed_by"]) == ("create", "ada")
        everything = _json(await client.read_resource("undercroft://projects"))
        assert [item["name"] for item in everything["items"]] == [project]
        task = _json(await client.read_resource(f"undercroft://project/{project}/types/task"))
        assert task["schema"]["required"] == ["title", "status"]


async def test_resources_of_the_callers_project_are_listed_page_by_page(
    settings: Settings, app: App, project: str
) -> None:
    entities = await app.entities(project)
    for number in range(120):
        await entities.types.define(f"kind_{number:03}", {"type": "object"})
    async with serving(settings, project=project) as client:
        first = await client.list_resources()
        assert first.next_cursor is not None
        second = await client.list_resources(cursor=first.next_cursor)
        assert second.next_cursor is None
        uris = [resource.uri for resource in (*first.resources, *second.resources)]
        assert len(uris) == len(set(uris)) == 124
        assert uris[:2] == ["undercroft://projects", f"undercroft://project/{project}/overview"]
        assert f"undercroft://project/{project}/types/kind_119" in uris
        with pytest.raises(MCPError):
            await client.list_resources(cursor="made up")


@ERAS
@pytest.mark.parametrize(
    "uri",
    [
        "undercroft://project/no_such_one/overview",
        "undercroft://project/{project}/types/no_such_type",
        "undercroft://project/{project}/types/a%00b",
        "undercroft://project/..%2F..%2Fetc/overview",
        "undercroft://project//overview",
        "undercroft://project/{project}/overview/more",
        "file:///etc/passwd",
        "nonsense",
    ],
)
async def test_a_resource_that_is_none_is_refused_without_a_word_too_many(
    app: App, project: str, mode: str, uri: str
) -> None:
    async with Client(server_of(app), mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri.replace("{project}", project))
    assert refused.value.error.code == -32602
    assert "Traceback" not in refused.value.error.message
    assert str(app.settings.home) not in str(refused.value.error)


@pytest.mark.filterwarnings("ignore:resources/.*subscribe is removed")  # said to new programs
async def test_a_subscriber_of_the_older_protocol_hears_of_each_change(
    app: App, project: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            heard.put_nowait(str(message.params.uri))

    uri = f"undercroft://project/{project}/overview"
    async with Client(server_of(app), mode="legacy", message_handler=listen) as client:
        await client.subscribe_resource(uri)
        for number in range(3):
            data = TASK | {"title": str(number)}
            await client.call_tool(
                "create_entity", {"project": project, "type": "task", "data": data}
            )
            async with asyncio.timeout(PATIENCE):
                assert await heard.get() == uri
        await client.subscribe_resource(task := f"undercroft://project/{project}/types/task")
        await client.unsubscribe_resource(uri)
        for description in ("a", "b"):
            definition = {"name": "task", "schema": {"type": "object"}, "description": description}
            await client.call_tool("define_entity_type", {"project": project} | definition)
            async with asyncio.timeout(PATIENCE):
                assert await heard.get() == task
        with pytest.raises(MCPError):
            await client.subscribe_resource("undercroft://project/no_such_one/overview")
    assert heard.empty()


async def test_a_listener_of_the_newer_protocol_hears_what_it_asked_for(
    app: App, project: str
) -> None:
    overview = f"undercroft://project/{project}/overview"
    task = f"undercroft://project/{project}/types/task"
    async with (
        Client(server_of(app), mode="2026-07-28") as client,
        client.listen(resource_subscriptions=[overview, task]) as events,
    ):
        ours = {"project": project}
        await client.call_tool("create_entity", ours | {"type": "task", "data": TASK})
        async with asyncio.timeout(PATIENCE):
            # A record changes the overview and not its type.
            assert (await anext(events)).uri == overview
            schema = {"type": "object", "properties": {"title": {"type": "string"}}}
            await client.call_tool("define_entity_type", ours | {"name": "task", "schema": schema})
            heard: set[str] = set()
            while heard != {overview, task}:
                heard.add((await anext(events)).uri)


async def test_a_change_by_another_process_is_heard(
    app: App, settings: Settings, project: str
) -> None:
    uri = f"undercroft://project/{project}/overview"
    async with (
        open_app(settings) as other,
        Client(server_of(app), mode="2026-07-28") as client,
        client.listen(resource_subscriptions=[uri]) as events,
    ):
        await (await other.entities(project, "other")).create("task", TASK)
        async with asyncio.timeout(PATIENCE):
            assert (await anext(events)).uri == uri


@ERAS
async def test_prompts_are_listed_filled_and_refused(settings: Settings, mode: str) -> None:
    async with open_app(settings) as app, Client(server_of(app), mode=mode) as client:
        prompts = {p.name: p for p in (await client.list_prompts()).prompts}
        assert set(prompts) == {"start_work", "design_type"}
        arguments = prompts["design_type"].arguments or []
        assert {a.name: a.required for a in arguments} == {"purpose": True, "project": False}
        filled = await client.get_prompt("design_type", {"purpose": "my {odd} books"})
        assert "my {odd} books" in filled.messages[0].content.text
        for name, given in (("design_type", {}), ("design_typ", {}), ("start_work", {"x": "y"})):
            with pytest.raises(MCPError) as refused:
                await client.get_prompt(name, given)
            assert refused.value.error.code == -32602


async def test_projects_and_types_complete_themselves(app: App, project: str) -> None:
    async with Client(server_of(app), mode="legacy") as client:
        template = ResourceTemplateReference(uri="undercroft://project/{project}/types/{type}")
        begun = {"name": "project", "value": project[:10]}
        assert project in (await client.complete(template, begun)).completion.values
        known = await client.complete(
            template, {"name": "type", "value": "ta"}, context_arguments={"project": project}
        )
        assert known.completion.values == ["task"]
        nothing = await client.complete(template, {"name": "type", "value": "ta"})
        assert nothing.completion.values == []
        prompt = PromptReference(name="start_work")
        assert project in (await client.complete(prompt, begun)).completion.values
        other = await client.complete(prompt, {"name": "nonsense", "value": ""})
        assert other.completion.values == []


@ERAS
async def test_long_work_says_how_far_it_is(app: App, project: str, mode: str) -> None:
    steps: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        assert message
        steps.append((progress, total))

    ours = {"project": project}
    async with Client(server_of(app), mode=mode) as client:
        records = [TASK] * 200
        await client.call_tool(
            "create_entities",
            ours | {"type": "task", "records": records},
            progress_callback=note,
        )
        assert steps == [(50, 200), (100, 200), (150, 200), (200, 200)]
        steps.clear()
        schema = {"type": "object", "required": ["title", "kind"]}
        await client.call_tool(
            "define_entity_type",
            ours | {"name": "task", "schema": schema, "defaults": {"kind": "a"}},
            progress_callback=note,
        )
    assert steps == [(200, None)]


def test_the_private_hooks_of_the_library_are_where_we_look_for_them(app: App) -> None:
    server = server_of(app)
    assert server.lowlevel is vars(server)["_lowlevel_server"]
    ours = {"completion/complete", "resources/subscribe", "subscriptions/listen"}
    assert all(server.lowlevel.get_request_handler(method) for method in ours)
    for method in ("list_tools", "call_tool", "read_resource", "get_prompt", "list_prompts"):
        assert getattr(MCPServer, method) is not getattr(Server, method)


def _json(result: Any) -> Json:
    return dict(json.loads(result.contents[0].text))
