"""`undercroft port` and `undercroft ports`: a number for a script, a table for a person."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.checkout import top_of
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from undercroft.ports.models import Allocation, Freed, Port
    from undercroft.settings import Settings


def add_parser(commands: Any) -> None:
    """Declare both commands."""
    port = commands.add_parser(
        "port",
        help="give services of this folder a free port each, the same every time",
        description="Prints the port of each service, one in a line. The same folder and service "
        "have the same port tomorrow; another worktree has others.",
    )
    port.add_argument("service", nargs="+", help="web, db, …")
    port.add_argument("--env", action="store_true", help="WEB_PORT=21034, for eval or a .env")
    port.add_argument("--range", default="", help="the range to take a new one from")
    port.add_argument("--preferred", type=int, default=0, help="this one, if it is free")
    port.add_argument("--contiguous", action="store_true", help="new ones follow each other")
    port.add_argument("--release", action="store_true", help="give them back instead")
    port.add_argument("--json", action="store_true", help="for a program")
    port.set_defaults(run=run_port)
    ports = commands.add_parser(
        "ports", help="show who has which port of this machine, and what is alive"
    )
    ports.add_argument("--reclaim", action="store_true", help="take back what nobody needs first")
    ports.add_argument("--json", action="store_true", help="for a program")
    ports.set_defaults(run=run_ports)


async def run_port(args: argparse.Namespace, settings: Settings) -> int:
    """Allocate, or release, for the folder that this is."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415
    from undercroft.ports.names import DEFAULT  # noqa: PLC0415

    configure("warning", "auto")
    tree = top_of(Path.cwd())
    async with open_app(settings) as app:
        project, ports = await project_of(app, tree), await app.ports("cli")
        if args.release:
            await ports.release(project, args.service, worktree=str(tree))
            return 0
        given = await ports.allocate(
            project,
            args.service,
            worktree=str(tree),
            range_name=args.range or DEFAULT,
            preferred=args.preferred or None,
            contiguous=args.contiguous,
        )
    print(to_json(given).decode() if args.json else _lines(given, env=args.env))
    return 0


def _lines(given: Allocation, *, env: bool) -> str:
    lines = [f"{name}={port}" for name, port in given.env.items()] if env else given.ports.values()
    return "\n".join(map(str, lines))


async def run_ports(args: argparse.Namespace, settings: Settings) -> int:
    """Look at every port that is somebody's."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it

    configure("warning", "auto")
    async with open_app(settings) as app:
        ports = await app.ports("cli")
        reclaimed = await ports.reclaim() if args.reclaim else None
        seen = await ports.check()
    if args.json:
        body = {"ports": seen} | ({"reclaimed": reclaimed} if reclaimed else {})
        print(to_json(body).decode())
        return 0
    if reclaimed:
        _tell("taken back", reclaimed.freed)
        _tell("kept, since something listens", reclaimed.kept)
    _show(seen)
    return 0


def _tell(what: str, ports: Sequence[Freed]) -> None:
    for one in ports:
        print(f"{what}: {one.port} {one.service or '(held)'} of {one.project}, {one.reason}")


def _show(ports: Sequence[Port]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table("port", "service", "project", "worktree", "state", "process", "since")
    colours = {"listening": "green", "failing": "red"}
    for one in ports:
        until = f"held until {one.expires_at:%H:%M}" if one.expires_at else ""
        state = until or one.state or ""
        process = f"{one.process or ''} {one.pid or ''}".strip()
        since = f"{one.since.astimezone():%Y-%m-%d %H:%M}" if one.since else ""
        words = (str(one.port), one.service or "", one.project, one.worktree or "")
        table.add_row(
            *map(Text, words), Text(state, style=colours.get(state, "dim")), Text(process), since
        )
    console = Console(soft_wrap=True)
    console.print(table if ports else "No port is anybody's. `undercroft port web` gives one.")
