"""`undercroft doctor`: settings and where they came from, and what is wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.app.finding import Finding
    from undercroft.settings import Settings

_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "wrong": "[red]wrong[/]"}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor", help="show the settings, what is wrong and how to mend it"
    )
    parser.add_argument("--json", action="store_true", help="for a program")
    parser.set_defaults(run=run)


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Look at everything; exit status 1 where something is wrong."""
    from undercroft.app.doctor import describe_settings, examine  # noqa: PLC0415

    configure("error", "auto")
    findings = [finding async for finding in examine(settings)]
    if args.json:
        body = {
            "settings": describe_settings(settings),
            "findings": [dataclasses.asdict(finding) for finding in findings],
        }
        print(json.dumps(body, indent=2))
    else:
        _print(describe_settings(settings), findings)
    return 1 if any(finding.verdict == "wrong" for finding in findings) else 0


def _print(settings: list[dict[str, str]], findings: list[Finding]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where tables are drawn
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    console = Console()
    table = Table("setting", "value", "from")
    for row in settings:
        table.add_row(row["setting"], escape(row["value"]), row["from"])
    console.print(table)
    for finding in findings:
        console.print(
            f"{_MARKS[finding.verdict]:>8} {escape(finding.what)}: {escape(finding.says)}"
        )
        if finding.mend:
            console.print(f"         {escape(finding.mend)}")
