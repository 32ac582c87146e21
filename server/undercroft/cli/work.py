"""`undercroft work`: the plan and what is ready, for a person; and the way in and out."""

from __future__ import annotations

import codecs
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.checkout import top_of
from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.text import Text

    from undercroft.settings import Settings
    from undercroft.work.models import Node, Plan, Ready

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WHOLE = 9_000
"""Tokens of a plan that is shown to a person."""
READY = 15

STYLES = {
    "pending": "",
    "in_progress": "yellow",
    "in_review": "yellow",
    "deferred": "dim",
    "completed": "green",
    "cancelled": "dim strike",
}
SIGNS = {"completed": "✓", "cancelled": "✗", "in_progress": "▶", "in_review": "◎", "deferred": "‖"}


def add_parser(commands: Any) -> None:
    """Declare the command and its verbs."""
    work = commands.add_parser(
        "work", help="show the plan of this folder's project and what is ready; import, export"
    )
    # A plain `undercroft work` shows; a verb has the same flags.
    work.set_defaults(run=run_show, id="", json=False)
    verbs = work.add_subparsers(metavar="VERB")
    show = verbs.add_parser("show", help="the tree with its progress, and what is ready (default)")
    show.add_argument("id", nargs="?", default="", help="only what lies beneath this item")
    for parser in (work, show):
        parser.add_argument("--json", action="store_true", help="for a program")
    show.set_defaults(run=run_show)
    out = verbs.add_parser("export", help="write all work as JSON lines")
    out.add_argument("file", nargs="?", default="-", help="a file; - is standard output")
    out.set_defaults(run=run_export)
    into = verbs.add_parser(
        "import", help="take over JSON lines, beads' JSONL, Task-master's tasks.json, GitHub issues"
    )
    into.add_argument("file", help="a file; - is standard input")
    into.add_argument(
        "--format",
        default="auto",
        help="auto, undercroft, beads, taskmaster, github (`gh issue list --json …`)",
    )
    into.set_defaults(run=run_import)


async def run_show(args: argparse.Namespace, settings: Settings) -> int:
    """The tree, and what can be started now."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning", "auto")
    async with open_app(settings) as app:
        project = await project_of(app, top_of(Path.cwd()))
        work = await app.work(project, "cli")
        plan = await work.get_plan(args.id, tokens=WHOLE)
        ready = await work.ready(where={"under": args.id}, limit=READY)
    if args.json:
        print(to_json({"project": project, "plan": plan, "ready": ready}).decode())
    else:
        _show(project, plan, ready)
    return 0


def _show(project: str, plan: Plan, ready: Sequence[Ready]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where it is drawn
    from rich.text import Text  # noqa: PLC0415

    console = Console(soft_wrap=True, highlight=False)
    if not plan.items:
        console.print(
            f"{project} has no work yet. `undercroft call create_work title=…` adds some."
        )
        return
    for node in plan.items:
        console.print(_line(node))
    if plan.next_cursor:
        console.print(Text(f"… {plan.total} items in all", style="dim"))
    console.print(Text("\nready", style="bold"))
    for one in ready:
        console.print(
            Text.assemble((one.id, "cyan"), f"  {one.title}  ", (f"({one.reason})", "dim"))
        )
    if not ready:
        console.print(Text("nothing", style="dim"))


def _line(node: Node) -> Text:
    from rich.text import Text  # noqa: PLC0415 - only where it is drawn

    waits = node.blocked and node.status not in ("completed", "cancelled")
    sign = "⧗" if waits else SIGNS.get(node.status, "·")
    line = Text("  " * node.depth)
    line.append(f"{sign} ", style="red" if waits else STYLES.get(node.status, ""))
    line.append(node.title, style=STYLES.get(node.status, ""))
    more = [node.kind, node.id, *([f"{node.progress:g} %"] if node.progress is not None else [])]
    more += [f"+{node.hidden} beneath"] if node.hidden else []
    line.append(f"  {'  '.join(more)}", style="dim")
    return line


async def run_export(args: argparse.Namespace, settings: Settings) -> int:
    """Everything but the history."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning", "auto")
    async with open_app(settings) as app:
        work = await app.work(await project_of(app, top_of(Path.cwd())), "cli")
        text = "".join(f"{line}\n" for line in await work.export())
    if args.file == "-":
        sys.stdout.write(text)
    else:
        Path(args.file).write_text(text, "utf-8")  # noqa: ASYNC240 - nobody else waits
    return 0


async def run_import(args: argparse.Namespace, settings: Settings) -> int:
    """All of a file, or nothing."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning", "auto")
    text = _read(args.file)
    async with open_app(settings) as app:
        work = await app.work(await project_of(app, top_of(Path.cwd())), "cli")
        done = await work.import_text(text, args.format)
    print(f"{done.items} items, {done.links} links, {done.comments} comments; {done.known} known")
    for link in done.left_out or ():
        print(f"left out, since it would wait for itself: {link}")
    for note in done.notes or ():
        print(note)
    return 0


def _read(name: str) -> str:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        # PowerShell's > writes UTF-16.
        return data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{name} cannot be read: {type(error).__name__}.") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInput(
            f"{name} cannot be read: line {line} is not UTF-8.", hint="Save it as UTF-8."
        ) from None
