"""The command line: global flags are the settings, commands live in modules of their own."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import traceback
from typing import Any

from undercroft import __version__
from undercroft.errors import UndercroftError
from undercroft.settings import fields, load_settings

EXIT_CODES = {
    "invalid_input": 2,
    "not_found": 3,
    "conflict": 4,
    "limit_reached": 5,
    "forbidden": 6,
    "unavailable": 7,
    "outcome_unknown": 8,
    "internal": 1,
}
"""Exit status by the code of the error."""

COMMANDS = (
    "serve",
    "search",
    "index",
    "port",
    "ports",
    "secret",
    "run",
    "call",
    "tools",
    "project",
    "postgres",
    "migrate",
    "doctor",
    "demo",
)
_MODULES = {"call": "tools", "tools": "tools", "index": "search", "ports": "port"}


def run(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    parser = make_parser(only=_command(arguments))
    args = parser.parse_args(arguments)
    debug = False
    try:
        settings = load_settings({f.name: getattr(args, f.name, None) for f in fields()})
        debug = settings.log_level == "debug"
        if not hasattr(args, "run"):
            args.run = _module("serve").run
        result = args.run(args, settings)
        return int(asyncio.run(result) if inspect.iscoroutine(result) else result)
    except UndercroftError as error:
        print(f"undercroft: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return EXIT_CODES[error.code]
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - what it says may be a row, a statement or a path
        return _unforeseen(error, debug=debug)


def _unforeseen(error: Exception, *, debug: bool) -> int:
    """Say that it is our fault; where it happened is for a report, and has nobody's data."""
    if debug:
        traceback.print_tb(error.__traceback__)
    print(f"undercroft: this should not have happened ({type(error).__name__}).", file=sys.stderr)
    if not debug:
        print("  Run it again with --log-level debug, and report what it says.", file=sys.stderr)
    return EXIT_CODES["internal"]


def _command(arguments: list[str]) -> str | None:
    """The command among the words, so that only its module is imported."""
    settings = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for field in fields():
        _add_flag(settings, field)
    settings.add_argument("command", nargs="?")
    known, _ = settings.parse_known_args(arguments)
    return known.command if known.command in COMMANDS else None


def make_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of all commands, or of one (the others' modules are not even imported)."""
    parser = argparse.ArgumentParser(
        prog="undercroft",
        # A command's --to must not be taken for an abbreviation of a setting.
        allow_abbrev=False,
        description="A private PostgreSQL database per software project, for coding agents.",
        epilog="Without a command: serve MCP over stdio.",
    )
    parser.add_argument("--version", action="version", version=f"undercroft {__version__}")
    settings = parser.add_argument_group("settings (each also as UNDERCROFT_… and in config.toml)")
    for field in fields():
        _add_flag(settings, field)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = [only] if only else COMMANDS
    for module in dict.fromkeys(_MODULES.get(name, name) for name in chosen):
        _module(module).add_parser(commands)
    if "serve" in commands.choices:
        for field in fields():
            # Without a default, since it would win over a flag before the command.
            _add_flag(commands.choices["serve"], field, default=argparse.SUPPRESS)
    return parser


def _add_flag(group: Any, field: Any, default: Any = None) -> None:
    flag = "--" + field.name.replace("_", "-")
    text = field.metadata["help"].replace("%", "%%")
    if field.type is bool or field.type == "bool":
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=default, help=text)
    else:
        group.add_argument(flag, default=default, metavar="VALUE", help=text)


def _module(name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415

    return import_module(f"undercroft.cli.{name}")
