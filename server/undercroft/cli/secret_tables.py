"""`undercroft secret list|log|templates`: facts about secrets, as tables or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from undercroft.cli.secret_room import opened, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from undercroft.secrets.models import Secret
    from undercroft.settings import Settings

PAGE = 200
"""Rows that are asked for at once."""


def add_verbs(verbs: Any) -> None:
    """Declare the verbs."""
    listed = verbs.add_parser("list", help="show what secrets there are, no values")
    listed.add_argument("--deleted", action="store_true", help="those that were deleted")
    listed.set_defaults(run=run_list)
    logged = verbs.add_parser("log", help="show who used, saw or changed secrets")
    logged.add_argument("name", nargs="?", default="", metavar="NAME")
    logged.add_argument("--limit", type=int, default=50, help="rows, the newest first")
    logged.add_argument("--verify", action="store_true", help="see whether it is as it was written")
    logged.set_defaults(run=run_log)
    kinds = verbs.add_parser("templates", help="show the kinds of secrets and how they are made")
    kinds.set_defaults(run=run_templates)
    for parser in (listed, logged, kinds):
        parser.add_argument("--json", action="store_true", help="for a program")


async def run_list(args: argparse.Namespace, settings: Settings) -> int:
    """Print every secret's facts."""
    found: list[Secret] = []
    cursor: str | None = ""
    async with opened(settings) as room:
        while cursor is not None:
            page = await room.secrets.page(PAGE, cursor, deleted=args.deleted)
            found, cursor = [*found, *page.items], page.next_cursor
    if args.json:
        print(to_json({"project": room.project, "secrets": found}).decode())
        return 0
    rows = [
        (s.name, str(s.version), s.kind, _day(s.expires_at), _day(s.rotation_due_at), s.description)
        for s in found
    ]
    _show(("name", "version", "kind", "expires", "rotation due", "description"), rows)
    return 0


async def run_log(args: argparse.Namespace, settings: Settings) -> int:
    """Print the log, or verify it: exit status 1 where it was changed."""
    async with opened(settings) as room:
        if args.verify:
            verdict = await room.secrets.verify_log()
            sound = f"{verdict.entries} rows, all as they were written; the last hash is "
            broken = f"The log is not as it was written, from row {verdict.broken} on."
            say(args, verdict, sound + verdict.last_hash if verdict.intact else broken)
            return 0 if verdict.intact else 1
        page = await room.secrets.access_log(args.name, max(1, min(args.limit, PAGE)))
    if args.json:
        print(to_json({"project": room.project, "accesses": page.items}).decode())
        return 0
    rows = [
        (f"{a.at.astimezone():%Y-%m-%d %H:%M:%S}", a.action, a.secret or "", a.actor, a.purpose)
        for a in page.items
    ]
    _show(("at", "action", "secret", "by", "purpose"), rows)
    return 0


async def run_templates(args: argparse.Namespace, settings: Settings) -> int:
    """Print every kind of secret."""
    async with opened(settings) as room:
        found = await room.secrets.templates()
    if args.json:
        print(to_json({"templates": found}).decode())
        return 0
    rows = [(t.kind, t.generator, str(t.expires_days or ""), t.description) for t in found]
    _show(("kind", "made as", "expires after days", "description"), rows)
    return 0


def _day(at: datetime | None) -> str:
    return f"{at.astimezone():%Y-%m-%d}" if at else ""


def _show(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*head)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(soft_wrap=True).print(table if table.row_count else "There are none.")
