"""A plain server of the MCP library with as many tools as ours, written out as its user would."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.mcp.toolset import Catalog, Tool

MODULE = "bare_server"
_HEAD = '''"""Trivial tools."""

from typing import Any

from mcp.server.mcpserver import MCPServer

server = MCPServer("bare")
'''
_TAIL = """

if __name__ == "__main__":
    server.run()
"""
_KINDS = {"string": "str", "integer": "int", "boolean": "bool", "number": "float"}


def write(catalog: Catalog, folder: Path) -> tuple[str, ...]:
    """Write the module; what the interpreter is given to run it (its folder being the cwd)."""
    text = _HEAD + "".join(map(_function, catalog)) + _TAIL
    (folder / f"{MODULE}.py").write_text(text)
    return ("-m", MODULE)


def _function(tool: Tool) -> str:
    required = set(tool.input_schema.get("required", ()))
    members: Mapping[str, Any] = tool.input_schema.get("properties", {})
    parameters = [
        f"{name}: {_kind(schema)}" + ("" if name in required else f" = {_default(schema)!r}")
        for name, schema in sorted(members.items(), key=lambda item: item[0] not in required)
        if not keyword.iskeyword(name)
    ]
    return (
        f"\n\n@server.tool()\nasync def {tool.name}({', '.join(parameters)}) -> dict[str, Any]:\n"
        f"    {tool.description!r}\n    return {{}}\n"
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(_kind(one) for one in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_kind(schema.get('items', {}))}]"
    if kind == "object":
        return "dict[str, Any]"
    return "None" if kind == "null" else _KINDS.get(str(kind), "Any")


def _default(schema: Mapping[str, Any]) -> Any:
    if "default" in schema:
        return schema["default"]
    empty: Mapping[str, Any] = {"string": "", "integer": 0, "boolean": False, "number": 0.0}
    kind = schema.get("type")
    return [] if kind == "array" else {} if kind == "object" else empty.get(str(kind))
