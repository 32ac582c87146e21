"""What an agent reads: short, right about what it does, and within its budget."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from undercroft.app.app import TOOLSETS
from undercroft.mcp.server import INSTRUCTIONS, describe, tokens
from undercroft.mcp.toolset import Tool, choose

TOOLS = [tool for toolset in TOOLSETS for tool in toolset.tools]
BUDGETS = {
    "projects, entities": 2_000,
    "codebase": 800,
    "ports": 420,
    "secrets": 480,
    "ports, secrets": 900,
    "work": 1_300,
    "projects, entities, codebase, ports, secrets, work": 5_000,
}
"""Tokens (characters / 4) of the default toolset's tools/list, by rooms."""


def each(test: Callable[[Tool], None]) -> Callable[[Tool], None]:
    return pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)(test)


@pytest.mark.parametrize("rooms", BUDGETS)
def test_the_default_tool_list_is_within_its_budget(record_property, rooms: str) -> None:
    chosen = [toolset for toolset in TOOLSETS if toolset.name in rooms.split(", ")]
    default = [describe(tool) for tool in choose(chosen, "default", read_only=False)]
    cost, budget = tokens(default), BUDGETS[rooms]
    figure = f"tools/list of {rooms}: {len(default)} tools, {cost} of {budget} tokens"
    record_property("figure", figure)
    print(figure)
    assert default
    assert cost <= budget


def test_the_budgets_speak_of_every_room() -> None:
    assert {toolset.name for toolset in TOOLSETS} == set(list(BUDGETS)[-1].split(", "))


def test_the_instructions_are_short_and_name_only_tools_that_exist() -> None:
    assert len(INSTRUCTIONS) < 2_000
    verbs = (
        "allocate|check|claim|create|update|delete|restore|define|list|get|query|archive|index|"
        "find|finish|read|semantic|generate|store|rotate|reserve|schedule"
    )
    named = set(re.findall(rf"\b(?:{verbs})_[a-z_]+", INSTRUCTIONS))
    assert named
    assert named <= {tool.name for tool in TOOLS}


def test_no_two_tools_share_a_name() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)


@each
def test_every_tool_says_what_it_is_for(tool: Tool) -> None:
    assert re.match(r"[A-Z].{8,}", tool.description)


@each
def test_every_tool_has_its_hints(tool: Tool) -> None:
    hints = tool.annotations
    assert hints["openWorldHint"] is False
    reads = tool.name.startswith(
        ("get_", "list_", "query_", "find_", "read_", "ready_", "blocked_", "semantic_")
    )
    assert hints.get("readOnlyHint", False) is reads
    if not reads:
        assert hints["destructiveHint"] is tool.name.startswith(("delete_", "remove_"))


@each
def test_every_tool_takes_what_the_boundary_serves(tool: Tool) -> None:
    properties = tool.input_schema["properties"]
    assert ("idempotency_key" in properties) is tool.writes
    assert ("project" in properties) is (tool.scope != "registry")
    with pytest.raises(ValidationError, match="extra_forbidden"):
        tool.validator.validate_python({"no_such_argument": 1})


def test_read_only_leaves_only_what_reads() -> None:
    left = choose(TOOLSETS, "all", read_only=True)
    assert {tool.name for tool in left} == {tool.name for tool in TOOLS if not tool.writes}


def test_the_private_hook_of_the_library_is_still_there() -> None:
    from mcp.server.mcpserver import MCPServer

    from undercroft.mcp.server import Server

    engine = MCPServer("probe")._lowlevel_server
    assert callable(engine.add_request_handler)
    assert callable(engine.run)
    assert isinstance(Server.lowlevel, property)
