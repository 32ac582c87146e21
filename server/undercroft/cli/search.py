"""`undercroft search` and `undercroft index`: in any checkout, without any preparation."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.checkout import checkout_of, top_of
from undercroft.cli.bar import progress_bar
from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.app import App
    from undercroft.codebase.models import Found, Hit, Repository
    from undercroft.codebase.service import Codebase
    from undercroft.settings import Settings

PATIENCE = 24 * 3600.0
"""Seconds that a person at a terminal may wait for an index: as long as it takes."""


MOMENT = 1.0
"""Seconds after which somebody who waits is told for what."""
ARRANGING = (
    "Searching works by now. Its vectors are still being made ready, for meaning and for speed: "
    "stop this if you like, the next command goes on."
)


def add_parser(commands: Any) -> None:
    """Declare both commands."""
    search = commands.add_parser(
        "search",
        help="find code by meaning or name; indexes this folder on first use",
        description="Finds code by meaning or name. The folder's project and index are made on "
        "first use and follow the disk from then on.",
    )
    search.add_argument("query", nargs="+", help="a question, words, or a name")
    search.add_argument("-n", "--limit", type=int, default=5, help="places to show (5)")
    search.add_argument("--path", action="append", default=[], help="a glob: 'src/**/*.py'")
    search.add_argument("--type", action="append", default=[], help="python, markdown, …")
    search.add_argument("-C", "--context", type=int, default=0, help="lines around each place")
    search.add_argument("--json", action="store_true", help="for a program")
    search.set_defaults(run=run_search)
    index = commands.add_parser("index", help="index a folder for search, or what changed in it")
    index.add_argument("folder", nargs="?", default=".", help="this one by default")
    index.add_argument("--json", action="store_true", help="for a program")
    index.set_defaults(run=run_index)


async def run_search(args: argparse.Namespace, settings: Settings) -> int:
    """Search; exit status 3 where nothing was found."""
    from undercroft.app import open_app  # noqa: PLC0415

    configure("warning", "auto")
    checkout = checkout_of(Path.cwd())
    async with open_app(settings) as app, _codebase(app, checkout.top) as codebase:
        indexed = {one.path for one in await codebase.status()}
        if not indexed or (checkout.is_linked and str(checkout.top) not in indexed):
            await _index(codebase, checkout.top, shown=sys.stderr.isatty())
        found = await codebase.search(
            " ".join(args.query),
            limit=args.limit,
            paths=args.path,
            languages=args.type,
            context=args.context,
            folder=Path.cwd(),
        )
    if args.json:
        print(to_json(found).decode())
    else:
        _show(found)
    return 0 if found.items else 3


async def run_index(args: argparse.Namespace, settings: Settings) -> int:
    """Index a folder, with a progress bar."""
    from undercroft.app import open_app  # noqa: PLC0415

    configure("warning", "auto")
    folder = Path.cwd() / args.folder
    if not folder.is_dir():
        # Before a project is made for it.
        raise InvalidInput(f"There is no folder {args.folder!r} to index.")
    async with open_app(settings) as app, _codebase(app, top_of(folder.resolve())) as codebase:
        done = await _index(codebase, folder, shown=not args.json and sys.stderr.isatty())
        if not args.json:
            _tell(done)
        await _settled(codebase)
        [done] = await codebase.status(str(done.id))
    if args.json:
        print(to_json(done).decode())
    elif done.vectors:
        print(f"  {done.vectors}")
    return 0


def _tell(done: Repository) -> None:
    seconds = f" in {done.seconds:.1f} s" if done.seconds is not None else ""
    print(f"{done.name}: {done.files} files, {done.chunks} chunks{seconds}")
    for reason, of in (done.omitted or {}).items():
        print(f"  left out: {of['count']:>6} {reason:<10} {', '.join(of['examples'][:2])}")


async def _settled(codebase: Codebase) -> None:
    """Wait for what goes on in the background; a person is told so."""
    waiting = asyncio.ensure_future(codebase.settled())
    await asyncio.wait({waiting}, timeout=MOMENT)
    if not waiting.done():
        print(ARRANGING, file=sys.stderr)
        told = [one.vectors for one in await codebase.status() if one.vectors]
        print(*dict.fromkeys(told), sep="\n", end="\n" if told else "", file=sys.stderr)
    await waiting


async def _index(codebase: Codebase, folder: Path, *, shown: bool) -> Repository:
    async with progress_bar("Reading the code", shown=shown) as progress:
        return await codebase.index(folder, wait=PATIENCE, progress=progress)


@asynccontextmanager
async def _codebase(app: App, root: Path) -> AsyncIterator[Codebase]:
    """The codebase of the project that the folder belongs to; made on first use."""
    from undercroft.cli.folder import project_of  # noqa: PLC0415
    from undercroft.codebase.service import Codebase  # noqa: PLC0415

    opened = await app.open(await project_of(app, root))
    codebase = Codebase(opened.database.acting_as("cli"), models=app.started.models)
    try:
        yield codebase
    finally:
        await codebase.close()


def _show(found: Found) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where it is read by a person

    console = Console(soft_wrap=True)
    for hit in found.items:
        _show_hit(console, hit)
    if not found.items:
        console.print("Nothing was found.")
    if found.note:
        console.print(found.note, style="yellow", markup=False)


def _show_hit(console: Any, hit: Hit) -> None:
    from rich.syntax import Syntax  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    place = Text(f"{hit.path}:{hit.start_line}-{hit.end_line}", style="bold cyan")
    place.append(f"  {hit.symbol}" if hit.symbol else "", style="green")
    place.append(f"  {hit.score:.2f}  {', '.join(hit.why)}", style="dim")
    console.print(place)
    if console.is_terminal:
        lexer = hit.language if hit.language != "text" else "default"
        console.print(Syntax(hit.text, lexer, line_numbers=True, start_line=hit.start_line))
    else:
        console.print(hit.text, markup=False, highlight=False)
    console.print()
