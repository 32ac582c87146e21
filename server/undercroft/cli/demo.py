"""`undercroft demo`: a real client at work on a real PostgreSQL, shown step by step."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "demo",
        help="watch an MCP client work on this folder's git history",
        description="Starts a server as an agent's client does, and works on real records: the "
        "git history of the working folder. Everything happens in a temporary place, which is "
        "gone afterwards.",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="work in your own Undercroft and leave the project",
    )
    parser.set_defaults(run=run)


async def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show everything; exit status 1 where a step did not do what it says."""
    from rich.console import Console  # noqa: PLC0415 - only where a transcript is printed

    from undercroft.db.embedded import EmbeddedPostgres  # noqa: PLC0415
    from undercroft.demo.material import gather  # noqa: PLC0415
    from undercroft.demo.script import BrokenPromise, show  # noqa: PLC0415
    from undercroft.demo.stage import Stage  # noqa: PLC0415
    from undercroft.demo.transcript import Transcript  # noqa: PLC0415

    console = Console(soft_wrap=True)
    with ExitStack() as cleanup:
        scratch = cleanup.enter_context(
            tempfile.TemporaryDirectory(prefix="undercroft-demo-", ignore_cleanup_errors=True)
        )
        stage = Stage(scratch=Path(scratch), settings=settings if args.keep else None)
        try:
            await show(stage, gather(Path.cwd()), Transcript(console))
        except BrokenPromise as broken:
            console.print(f"\nThe demonstration failed: {broken}", style="bold red", markup=False)
            console.print(stage.last_words(), markup=False, highlight=False)
            return 1
        finally:
            if not args.keep:
                await EmbeddedPostgres(stage.home).stop(force=True)
    return 0
