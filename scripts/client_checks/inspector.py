"""MCP Inspector's command line, over each transport."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

from client_checks.frame import SERVER, Bench, Check, last_words, output_of
from client_checks.npm import INSPECTOR, with_package
from client_checks.servers import listening
from client_checks.steps import Step, body, call, contents
from client_checks.work_steps import WORK

OVERVIEW = "undercroft://project/inspected/overview"


STEPS: Sequence[Step] = [
    (
        "tools/list",
        ["--method", "tools/list"],
        lambda a: {"create_entity", "list_projects"} <= {tool["name"] for tool in a["tools"]},
    ),
    (
        "tools/call create_project",
        call("create_project", "name=inspected"),
        lambda a: body(a)["name"] == "inspected",
    ),
    (
        "tools/call create_entity",
        call(
            "create_entity",
            "project=inspected",
            "type=task",
            'data={"title":"look","status":"pending"}',
        ),
        lambda a: body(a)["version"] == 1,
    ),
    (
        "tools/call query_entities",
        call("query_entities", "project=inspected", "type=task", "limit=1", "count=true"),
        lambda a: body(a)["count"] >= 1 and len(body(a)["items"]) == 1,
    ),
    (
        "tools/call index_repository",
        call("index_repository", "project=inspected", "path=code"),
        lambda a: (body(a)["status"], body(a)["files"]) == ("completed", 1),
    ),
    (
        "tools/call semantic_search",
        call("semantic_search", "project=inspected", "query=where is a stale lease refused?"),
        lambda a: body(a)["items"][0]["path"] == "lease.py",
    ),
    (
        "tools/call with a wrong argument",
        call("get_project", "nam=inspected"),
        lambda a: a["isError"] and "name" in body(a)["hint"],
    ),
    (
        "resources/templates/list",
        ["--method", "resources/templates/list"],
        lambda a: len(a["resourceTemplates"]) >= 2,  # noqa: PLR2004 - overview and type
    ),
    (
        "resources/list",
        ["--method", "resources/list"],
        lambda a: "undercroft://projects" in {item["uri"] for item in a["resources"]},
    ),
    (
        "resources/read",
        ["--method", "resources/read", "--uri", OVERVIEW],
        lambda a: contents(a)["project"] == "inspected",
    ),
    (
        "prompts/list",
        ["--method", "prompts/list"],
        lambda a: "start_work" in {prompt["name"] for prompt in a["prompts"]},
    ),
    (
        "prompts/get",
        ["--method", "prompts/get", "--prompt-name", "design_type", "--prompt-args", "purpose=x"],
        lambda a: "records of this: x" in a["messages"][0]["content"]["text"],
    ),
]
PORTS: Sequence[Step] = [
    (
        "tools/call define_port_range",
        call("define_port_range", "name=small", "first_port=15800", "last_port=15819"),
        lambda a: body(a)["last_port"] == 15819,  # noqa: PLR2004 - as it was asked for
    ),
    (
        "tools/call list_port_ranges",
        call("list_port_ranges"),
        lambda a: {one["name"] for one in body(a)["result"]} == {"default", "small"},
    ),
    (
        "tools/call find_available_port",
        call("find_available_port", "range=small", "count=2"),
        lambda a: len(body(a)["result"]) == 2,  # noqa: PLR2004 - as it was asked for
    ),
    (
        "tools/call allocate_port",
        call("allocate_port", "project=inspected", 'service=["web","db"]'),
        lambda a: set(body(a)["ports"]) == {"web", "db"},
    ),
    (
        "tools/call allocate_port by number",
        call("allocate_port", "project=inspected", "service=api", "preferred=15830"),
        lambda a: body(a)["env"] == {"API_PORT": "15830"},
    ),
    (
        "tools/call reserve_ports",
        call("reserve_ports", "project=inspected", "count=3", "contiguous=true", "ttl=60"),
        lambda a: body(a)["ports"][2] - body(a)["ports"][0] == 2,  # noqa: PLR2004 - a block
    ),
    (
        "tools/call release_reservation",
        call("release_reservation", "project=inspected", "reservation=none"),
        lambda a: a["isError"] and body(a)["code"] == "not_found",
    ),
    (
        "tools/call get_port",
        call("get_port", "port=15830"),
        lambda a: body(a)["port"]["service"] == "api",
    ),
    (
        "tools/call check_ports",
        call("check_ports", "project=inspected", 'service=["api"]'),
        lambda a: body(a)["result"][0]["state"] == "silent",
    ),
    (
        "tools/call list_ports",
        call("list_ports", "project=inspected"),
        lambda a: len(body(a)["items"]) == 6,  # noqa: PLR2004 - three services, three held
    ),
    (
        "tools/call release_port",
        call("release_port", "project=inspected", "port=15830"),
        lambda a: body(a)["released"] == [15830],
    ),
    (
        "tools/call reclaim_ports",
        call("reclaim_ports", "dry_run=true"),
        lambda a: body(a)["kept"] == [],
    ),
]
"""The ports room, every tool of it; over stdio alone, since the road is the same."""
SECRETS: Sequence[Step] = [
    (
        "tools/call store_secret",
        call("store_secret", "project=inspected", "name=STRIPE_KEY", "value=sk-canary-0123456789"),
        lambda a: body(a)["version"] == 1 and "canary" not in json.dumps(a),
    ),
    (
        "tools/call generate_secret",
        call("generate_secret", "project=inspected", "name=DB_PASSWORD", "kind=password"),
        lambda a: body(a)["generated"],
    ),
    (
        "tools/call list_secrets",
        call("list_secrets", "project=inspected"),
        lambda a: [one["name"] for one in body(a)["items"]] == ["DB_PASSWORD", "STRIPE_KEY"],
    ),
    (
        "tools/call get_secret",
        call("get_secret", "project=inspected", "name=STRIPE_KEY"),
        lambda a: body(a)["masked"].endswith("6789") and "canary" not in json.dumps(a),
    ),
    (
        "tools/call get_secret without leave",
        call("get_secret", "project=inspected", "name=STRIPE_KEY", "reveal=true"),
        lambda a: a["isError"] and body(a)["code"] == "forbidden",
    ),
    (
        "tools/call rotate_secret",
        call("rotate_secret", "project=inspected", "name=DB_PASSWORD"),
        lambda a: body(a)["version"] == 2,  # noqa: PLR2004 - the next one
    ),
    (
        "tools/call schedule_rotation",
        call("schedule_rotation", "project=inspected", "name=DB_PASSWORD", "every_days=90"),
        lambda a: body(a)["rotate_every_days"] == 90,  # noqa: PLR2004 - as it was asked for
    ),
    (
        "tools/call delete_secret",
        call("delete_secret", "project=inspected", "name=STRIPE_KEY"),
        lambda a: not a.get("isError"),
    ),
    (
        "tools/call restore_secret",
        call("restore_secret", "project=inspected", "name=STRIPE_KEY"),
        lambda a: body(a)["version"] == 1,
    ),
    (
        "tools/call list_secret_templates",
        call("list_secret_templates", "project=inspected"),
        lambda a: "ssh_key" in {one["kind"] for one in body(a)["result"]},
    ),
    (
        "tools/call rotate_encryption_key",
        call("rotate_encryption_key", "project=inspected"),
        lambda a: body(a)["moved"] == 3,  # noqa: PLR2004 - versions of two secrets
    ),
    (
        "tools/call get_secret_access_log",
        call("get_secret_access_log", "project=inspected", "name=STRIPE_KEY"),
        lambda a: body(a)["items"][-1]["action"] == "set",
    ),
]
"""The secrets room, every tool of it; over stdio alone as well."""
TIMING: Sequence[Step] = [
    (
        "tools/call get_recommended_estimate without a past",
        call("get_recommended_estimate", "project=inspected", "title=Mend it", "own_estimate=60"),
        lambda a: (body(a)["basis"], body(a)["p50_minutes"]) == ("own", 60),
    ),
    (
        "tools/call start_timer",
        call("start_timer", "project=inspected", "title=Mend it", "item=w-inspect1", "kind=bug"),
        lambda a: body(a)["status"] == "running",
    ),
    (
        "tools/call list_executions",
        call("list_executions", "project=inspected", "open=true"),
        lambda a: "w-inspect1" in [one["item"] for one in body(a)["items"]],
    ),
    (
        "tools/call stop_timer",
        call("stop_timer", "project=inspected", "timer=w-inspect1", 'factors=["flaky tests"]'),
        lambda a: body(a)["status"] == "finished",
    ),
    (
        "tools/call stop_timer once more",
        call("stop_timer", "project=inspected", "timer=w-inspect1"),
        lambda a: a["isError"] and body(a)["code"] == "not_found",
    ),
    (
        "tools/call record_execution",
        call(
            "record_execution",
            *("project=inspected", "title=Mend the roof", "kind=roof", "minutes=30"),
            *("own_estimate=120", "finished_at=2026-01-01T10:00:00Z"),
        ),
        lambda a: body(a)["variance_percent"] == -75,  # noqa: PLR2004 - 30 in place of 120
    ),
    (
        "tools/call get_recommended_estimate",
        call("get_recommended_estimate", "project=inspected", "title=The roof", "kind=roof"),
        lambda a: (body(a)["p50_minutes"], body(a)["tasks"]) == (30, 2),
    ),
    (
        "tools/call get_estimation_report",
        call("get_estimation_report", "project=inspected"),
        lambda a: {one["kind"] for one in body(a)["patterns"]} == {"bug", "roof"},
    ),
]
"""The timing room, every tool of it; over stdio alone as well."""
CODE = """def renew(lease, epoch):
    if lease.epoch != epoch:
        raise StaleLease(lease)
"""
QUICK = 3
"""Steps of a quick run."""


async def checks(bench: Bench) -> AsyncIterator[Check]:
    """Each step over stdio, HTTP and SSE."""
    environment = await with_package(bench, INSPECTOR)
    bench.code.mkdir(exist_ok=True)
    (bench.code / "lease.py").write_text(CODE)
    settings = [word for item in bench.server_settings.items() for word in ("-e", "=".join(item))]
    local = [*settings, "-e", "UNDERCROFT_TOOLSETS=all", *SERVER]
    every = [*STEPS, *PORTS, *SECRETS, *WORK, *TIMING]
    async for check in _over(bench, environment, "stdio", local, every):
        yield check
    for transport, path in (("http", "/mcp"), ("sse", "/sse")):
        async with listening(bench, transport) as address:
            target = [address + path, "--transport", transport]
            async for check in _over(bench, environment, transport, target):
                yield check


async def _over(
    bench: Bench,
    environment: dict[str, str],
    transport: str,
    target: Sequence[str],
    steps: Sequence[Step] = STEPS,
) -> AsyncIterator[Check]:
    for name, flags, is_right in steps[: QUICK if bench.quick else None]:
        command = ["mcp-inspector", "--cli", *target, *flags]
        _, out, err = await output_of(command, environment, bench.folder)
        try:
            held = is_right(json.loads(out))
        except (ValueError, KeyError, IndexError, TypeError):
            held = False
        detail = "" if held else last_words(out) or last_words(err)
        yield Check(name=f"inspector {transport}: {name}", held=held, detail=detail)
