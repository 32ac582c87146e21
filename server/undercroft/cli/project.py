"""`undercroft project list|drop`: what no agent can do is dropping for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("project", help="list projects, or drop one for good")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="show every project")
    listing.set_defaults(run=run_list)
    drop = verbs.add_parser("drop", help="destroy an archived project and all that it holds")
    drop.add_argument("name")
    drop.add_argument("--yes", action="store_true", help="do not ask")
    drop.set_defaults(run=run_drop)


async def run_list(_args: argparse.Namespace, settings: Settings) -> int:
    """Print a table of all projects."""
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415

    from undercroft.app import open_app  # noqa: PLC0415

    configure("warning", "auto")
    table = Table("project", "state", "root", "created", "description")
    async with open_app(settings) as app:
        projects = await app.projects("cli")
        for state in ("", "archived", "dropping"):
            for item in await projects.every(state):
                created = f"{item.created_at:%Y-%m-%d}"
                table.add_row(item.name, item.state, item.root_path, created, item.description)
    Console().print(table)
    return 0


async def run_drop(args: argparse.Namespace, settings: Settings) -> int:
    """Ask, then drop."""
    from undercroft.app import open_app  # noqa: PLC0415

    configure("warning", "auto")
    async with open_app(settings) as app:
        projects = await app.projects("cli")
        project = await projects.get(args.name)
        if not args.yes and not _confirmed(project.name):
            raise InvalidInput(
                "Nothing was dropped.", hint="Type the project's name, or pass --yes."
            )
        await projects.drop(project.name)
    print(f"{project.name} is dropped.")
    return 0


def _confirmed(name: str) -> bool:
    if not sys.stdin.isatty():
        return False
    print(f"This destroys everything in the project {name}.")
    return input("Type its name to go on: ").strip() == name
