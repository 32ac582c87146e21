"""`undercroft migrate up|down|status|verify|new`: schemas of the registry and of all projects."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from undercroft.cli.bar import progress_bar
from undercroft.errors import InvalidInput
from undercroft.progress import Progress

if TYPE_CHECKING:
    from undercroft.db.migrate.fleet import Answer, Fleet, Target
    from undercroft.settings import Settings

LINES = ("registry", "project")
Work = Callable[["Fleet", "list[Target]", argparse.Namespace, Progress], Awaitable[Any]]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command `migrate` to the command line."""
    parser = subparsers.add_parser("migrate", help="move database schemas forth and back")
    commands = parser.add_subparsers(dest="migrate_command", required=True, metavar="COMMAND")
    up = _add(commands, "up", _up, "apply what is missing")
    down = _add(commands, "down", _down, "take the newest migration back, or all above --to")
    for moving in (up, down):
        moving.add_argument("--to", type=int, metavar="N", help="stop at this version")
        moving.add_argument("--dry-run", action="store_true", help="only show what would run")
    down.add_argument("--yes", action="store_true", help="do not ask; data is lost")
    _add(commands, "status", _status, "show where every database stands")
    _add(commands, "verify", _verify, "compare every database with the files")
    new = commands.add_parser("new", help="write the next pair of files")
    new.add_argument("--line", choices=LINES, default="project", help="the line (project)")
    new.add_argument("name", help="for example add_due_dates")
    new.set_defaults(run=_new)


def _add(commands: Any, name: str, work: Work, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text)
    parser.add_argument("--line", choices=LINES, default="", help="only this line (both)")
    chosen = parser.add_mutually_exclusive_group()
    # The global setting --project must not be overwritten by our default.
    chosen.add_argument("--project", default=argparse.SUPPRESS, help="only this project")
    chosen.add_argument("--all", action="store_true", help="every project (the default)")
    parser.add_argument("--json", action="store_true", help="for a program")

    async def run(args: argparse.Namespace, settings: Settings) -> int:
        return await _run(work, args, settings)

    parser.set_defaults(run=run)
    return parser


async def _run(work: Work, args: argparse.Namespace, settings: Settings) -> int:
    # The composition root: the one place that knows how databases are reached.
    from undercroft.app.fleet import open_fleet  # noqa: PLC0415

    project = "" if args.all else settings.project
    async with open_fleet(settings) as fleet:
        if args.migrate_command == "up" and not args.dry_run and fleet.make_registry:
            await fleet.make_registry()
        targets = await fleet.targets(args.line, project)
        if args.migrate_command == "down":
            _confirm(targets, args)
        async with progress_bar(args.migrate_command, shown=not args.json) as progress:
            answers = await work(fleet, targets, args, progress)
    return _print(answers, args)


def _confirm(targets: Sequence[Target], args: argparse.Namespace) -> None:
    """Ask before data is lost.

    Raises:
        InvalidInput: The line is not chosen, or nobody can answer and `--yes` is not given.

    """
    if len({target.line for target in targets}) > 1:
        raise InvalidInput(
            "The two lines count their versions apart.",
            hint="Say which to take back: --line registry, --line project or --project NAME.",
        )
    if args.yes or args.dry_run:
        return
    if not sys.stdin.isatty():
        raise InvalidInput("Taking migrations back loses data.", hint="Say --yes to go on.")
    names = ", ".join(target.name for target in targets)
    answer = input(f"Take migrations back and lose their data in {names}? Type yes: ")
    if answer.strip().lower() != "yes":
        raise InvalidInput("Nothing was taken back.")


async def _up(
    fleet: Fleet, targets: list[Target], args: argparse.Namespace, progress: Progress
) -> Any:
    return await fleet.up(targets, to=args.to, dry_run=args.dry_run, progress=progress)


async def _down(
    fleet: Fleet, targets: list[Target], args: argparse.Namespace, progress: Progress
) -> Any:
    return await fleet.down(
        targets, to=args.to, dry_run=args.dry_run, force=True, progress=progress
    )


async def _status(
    fleet: Fleet, targets: list[Target], _args: argparse.Namespace, progress: Progress
) -> Any:
    return await fleet.status(targets, progress=progress)


async def _verify(
    fleet: Fleet, targets: list[Target], _args: argparse.Namespace, progress: Progress
) -> Any:
    return await fleet.verify(targets, progress=progress)


def _new(args: argparse.Namespace, _settings: Settings) -> int:
    from undercroft.db.migrate.new import new_pair  # noqa: PLC0415

    for path in new_pair(args.line, args.name):
        print(path)
    return 0


def _print(answers: list[Answer[Any]], args: argparse.Namespace) -> int:
    """Print the report; exit status 1 where a database failed or is not as it should be."""
    bodies = [answer.as_dict() for answer in answers]
    wrong = [body for body in bodies if _is_wrong(body)]
    if args.json:
        print(json.dumps({"ok": not wrong, "databases": bodies}, indent=2, ensure_ascii=False))
    else:
        _print_table(bodies)
    return 1 if wrong else 0


def _is_wrong(body: dict[str, Any]) -> bool:
    return "error" in body or body.get("valid") is False or body.get("state") == "drift"


def _print_table(bodies: list[dict[str, Any]]) -> None:
    rows = [(body["name"], body["line"], *_describe(body)) for body in bodies]
    width = max((len(row[0]) for row in rows), default=0)
    for name, line, summary, details in rows:
        print(f"{name:<{width}}  {line:<8}  {summary}")
        for detail in details:
            print(f"{'':<{width}}    {detail}")


def _describe(body: dict[str, Any]) -> tuple[str, list[str]]:
    """A line for one database, and the lines below it."""
    if error := body.get("error"):
        extra = [error.get("explanation", ""), error.get("hint", "")]
        return f"failed: {error['message']}", [text for text in extra if text]
    if "valid" in body:
        found = [f"{d['what']} {d['kind']} {d['name']}" for d in body["differences"]]
        pending = [f"pending {label}" for label in body["pending"]]
        return ("valid" if body["valid"] else "differs"), [*body["drift"], *pending, *found]
    if "state" in body:
        summary = f"{body['state']}, version {body['version']:04} of {body['latest']:04}"
        return summary, [*body["drift"], *(f"pending {label}" for label in body["pending"])]
    verb = {"up": "applied", "down": "taken back"}[body["direction"]]
    verb = f"would be {verb}" if body["dry_run"] else verb
    return (f"{len(body['steps'])} {verb}" if body["steps"] else "nothing to do"), body["steps"]
