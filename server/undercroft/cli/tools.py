"""`undercroft call TOOL key=value …` and `undercroft tools`: every tool without a client."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from undercroft.mcp.toolset import Tool
    from undercroft.settings import Settings


def add_parser(commands: Any) -> None:
    """Declare both commands."""
    call = commands.add_parser(
        "call",
        help="call a tool",
        description="Call a tool with the checks that an agent's call passes. A value is JSON "
        "where the tool takes something other than a text; @FILE reads it, - reads "
        "standard input. The value of a secret is taken in one of these two ways only.",
    )
    call.add_argument("tool", metavar="TOOL")
    call.add_argument("arguments", nargs="*", metavar="key=value")
    call.add_argument("--json", action="store_true", help="compact JSON, errors included")
    call.set_defaults(run=run_call)
    tools = commands.add_parser("tools", help="list the tools, or show one")
    tools.add_argument("tool", nargs="?", metavar="TOOL")
    tools.add_argument("--json", action="store_true", help="as tools/list has them")
    tools.set_defaults(run=run_tools)


async def run_call(args: argparse.Namespace, settings: Settings) -> int:
    """Call one tool; the exit status tells the kind of failure."""
    from undercroft.app import open_app  # noqa: PLC0415 - the rooms, once a call is made
    from undercroft.cli.main import EXIT_CODES  # noqa: PLC0415 - main imports this module
    from undercroft.mcp.call import Caller  # noqa: PLC0415

    configure("warning" if settings.log_level == "info" else settings.log_level, "auto")
    async with open_app(_every_toolset(settings)) as app:
        tool = app.boundary.catalog.tools.get(args.tool)
        given = parse_arguments(tool, args.arguments)
        caller = Caller(
            actor=settings.actor or getpass.getuser(), folder=Path.cwd(), transport="cli"
        )
        outcome = await app.boundary.call(args.tool, given, caller)
    if not outcome.failed:
        _show(outcome.body, compact=args.json)
        return 0
    if args.json:
        _show(outcome.body, compact=True)
    else:
        _complain(outcome.body)
    return EXIT_CODES[outcome.body["code"]]


def run_tools(args: argparse.Namespace, settings: Settings) -> int:
    """List the tools with a line each, or show one whole."""
    from undercroft.app.app import App  # noqa: PLC0415
    from undercroft.mcp.server import describe  # noqa: PLC0415

    catalog = App(_every_toolset(settings)).boundary.catalog
    if args.tool and args.tool not in catalog.tools:
        from undercroft.mcp.arguments import nearest  # noqa: PLC0415

        raise InvalidInput(
            f"There is no tool {args.tool!r}.", hint=nearest(args.tool, catalog.tools)
        )
    chosen = [catalog.tools[args.tool]] if args.tool else list(catalog)
    if args.json or args.tool:
        shown = [
            describe(tool).model_dump(mode="json", by_alias=True, exclude_none=True)
            for tool in chosen
        ]
        _show(shown[0] if args.tool else {"tools": shown}, compact=args.json)
        return 0
    for tool in chosen:
        print(f"{tool.name:22} {tool.description.partition('. ')[0].rstrip('.')}.")
    return 0


def _every_toolset(settings: Settings) -> Settings:
    """A person at a terminal has every tool unless the settings say otherwise."""
    from dataclasses import replace  # noqa: PLC0415

    return settings if "toolsets" in settings.sources else replace(settings, toolsets="all")


def parse_arguments(tool: Tool | None, words: list[str]) -> dict[str, Any]:
    """The arguments behind `key=value` words.

    Raises:
        InvalidInput: A word has no `=`, a value should be JSON and is not, or one that stands in
            no record stands among the words.

    """
    properties = tool.input_schema.get("properties", {}) if tool else {}
    confidential = tool.confidential if tool else frozenset()
    given: dict[str, Any] = {}
    for number, word in enumerate(words, start=1):
        key, separator, value = word.partition("=")
        key = key.replace("-", "_")
        # The word is not repeated: it may be a secret, or a part of one.
        if not separator:
            raise InvalidInput(
                f"Word {number} after the tool is not of the form key=value.",
                hint=_another_way(confidential),
            )
        if confidential and key not in properties:
            raise InvalidInput(
                f"Word {number} after the tool is none of: {', '.join(sorted(properties))}.",
                hint=_another_way(confidential),
            )
        text = _read_hidden(key, value) if key in confidential else _read(value)
        given[key] = _value(key, text, properties.get(key, {}))
    return given


def _another_way(confidential: Iterable[str]) -> str:
    return " ".join(
        f"Write {key}=- to have it read from standard input, or {key}=@FILE."
        for key in sorted(confidential)
    )


def _read_hidden(key: str, value: str) -> str:
    """What other programs must not see, without its one last line break.

    Raises:
        InvalidInput: It stands among the words.

    """
    if value and value != "-" and not (value.startswith("@") and Path(value[1:]).is_file()):
        raise InvalidInput(
            f"{key} stands among the words of the command, where other programs and the shell's "
            "history have it too, or there is no such file.",
            hint=_another_way([key]),
        )
    return _read(value).removesuffix("\n").removesuffix("\r")


def _read(value: str) -> str:
    if value == "-":
        return sys.stdin.read()
    if value.startswith("@") and Path(value[1:]).is_file():
        return Path(value[1:]).read_text("utf-8")
    return value


def _value(key: str, text: str, schema: dict[str, Any]) -> Any:
    kinds = {part.get("type") for part in (schema, *schema.get("anyOf", []))}
    if "enum" in schema or ("string" in kinds and not (text[:1] == "[" and "array" in kinds)):
        return text
    try:
        return json.loads(text)
    except ValueError:
        if kinds <= {None}:
            return text
        kind = next(kind for kind in kinds if kind and kind != "null")
        raise InvalidInput(f"{key} takes {kind}: write it as JSON.") from None


def _show(body: Any, *, compact: bool) -> None:
    print(to_json(body).decode() if compact else json.dumps(body, indent=2, ensure_ascii=False))


def _complain(body: dict[str, Any]) -> None:
    print(f"undercroft: {body['message']}", file=sys.stderr)
    if hint := body.get("hint"):
        print(f"  {hint}", file=sys.stderr)
    if data := body.get("data"):
        print(f"  {json.dumps(data, ensure_ascii=False)}", file=sys.stderr)
