"""`undercroft estimate`: how long a task will take, by what this project has finished."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.checkout import top_of
from undercroft.cli.terminal import plain
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings
    from undercroft.timing.models import Estimate


def add_parser(commands: Any) -> None:
    """Declare the command."""
    estimate = commands.add_parser(
        "estimate",
        help="say how long a task will take, from the finished ones of this folder's project",
        description="How long half of such tasks take at most, four of five, and all but one in "
        "twenty: from the project's finished tasks, those that are like it first, and from what "
        "became of your own estimates.",
    )
    estimate.add_argument("title", nargs="+", help="what is to be done")
    estimate.add_argument("--kind", default="", help="task, bug, …")
    estimate.add_argument("--label", action="append", default=[], help="may be repeated")
    estimate.add_argument("--complexity", type=float, help="on the scale that you use")
    estimate.add_argument("--own", default="", help="your own estimate: 90m, 1.5h, 1h30m")
    estimate.add_argument(
        "--as", dest="asker", default="", help="whose estimate it is; yours by default"
    )
    estimate.add_argument("--json", action="store_true", help="for a program")
    estimate.set_defaults(run=run)


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Estimate; exit status 3 where there is nothing to estimate from."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415
    from undercroft.timing.checks import minutes_of  # noqa: PLC0415
    from undercroft.timing.models import Task  # noqa: PLC0415

    configure("warning", "auto")
    task = Task(
        title=" ".join(args.title),
        kind=args.kind,
        labels=args.label,
        complexity=args.complexity,
        own_minutes=minutes_of(args.own) if args.own else None,
    )
    async with open_app(settings) as app:
        project = await project_of(app, top_of(Path.cwd()))
        timing = await app.timing(project, args.asker or settings.actor or getpass.getuser())
        found = await timing.recommend(task)
    print(to_json(found).decode() if args.json else _lines(found))
    return 0 if found.p50_minutes is not None else 3


def _lines(found: Estimate) -> str:
    from undercroft.timing.wording import spoken  # noqa: PLC0415 - only where it is read

    near = [
        f"  {spoken(one.minutes):>12}  {one.kind}: {one.title}"
        + (f" (estimated {spoken(one.estimated_minutes)})" if one.estimated_minutes else "")
        for one in found.nearest
    ]
    lines = [found.summary, *(["The likest of them took:", *near] if near else [])]
    return "\n".join(map(plain, lines))
