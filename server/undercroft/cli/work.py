"""`undercroft work`: the plan and what is ready, for a person; and the way in and out."""

from __future__ import annotations

import codecs
import sys
from argparse import SUPPRESS
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.checkout import top_of
from undercroft.cli.terminal import plain
from undercroft.cli.work_lines import item_lines, tree_lines
from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from rich.text import Text

    from undercroft.settings import Settings

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
WHOLE = 9_000
"""Tokens of a plan that is shown to a person."""
READY = 15


def add_parser(commands: Any) -> None:
    """Declare the command and its verbs."""
    work = commands.add_parser(
        "work", help="show the plan of this folder's project and what is ready; import, export"
    )
    # A plain `undercroft work` shows; a verb has the same flags.
    work.set_defaults(run=run_show, id="", json=False)
    verbs = work.add_subparsers(metavar="VERB")
    show = verbs.add_parser("show", help="the tree with its progress, and what is ready (default)")
    show.add_argument("id", nargs="?", default="", help="one item, whole, and what lies beneath it")
    work.add_argument("--json", action="store_true", help="for a program")
    # What was said before the verb holds on.
    show.add_argument("--json", action="store_true", default=SUPPRESS, help="for a program")
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
    """The tree, and what can be started now; of one item, all that there is."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning", "auto")
    async with open_app(settings) as app:
        project = await project_of(app, top_of(Path.cwd()))
        work = await app.work(project, "cli")
        item = await work.read(args.id) if args.id else None
        plan = await work.get_plan(args.id, tokens=WHOLE)
        ready = await work.ready(where={"under": args.id}, limit=READY)
    if args.json:
        told = {"item": item} if item else {}
        print(to_json({"project": project, **told, "plan": plan, "ready": ready}).decode())
    else:
        lines = [*(item_lines(item) if item else []), *tree_lines(project, plan, ready)]
        _print(lines)
    return 0


def _print(lines: Sequence[Text]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where it is drawn

    console = Console(soft_wrap=True, highlight=False)
    for line in lines:
        console.print(line)


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
        try:
            Path(args.file).write_text(text, "utf-8")  # noqa: ASYNC240 - nobody else waits
        except OSError as error:
            raise InvalidInput(f"{args.file} cannot be written: {error.strerror}.") from None
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
        print(f"left out, since it would wait for itself: {plain(link)}")
    for note in done.notes or ():
        print(plain(note))
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
