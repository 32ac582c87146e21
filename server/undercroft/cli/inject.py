"""`undercroft secret inject`: a template's placeholders, filled with secrets and ports."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undercroft.checkout import top_of
from undercroft.cli.secret_room import opened
from undercroft.errors import Forbidden

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings


def add_inject(subcommands: Any) -> None:
    """Declare the verb."""
    parser = subcommands.add_parser(
        "inject",
        help="fill {{ NAME }} in a template with secrets and ports",
        description="Writes the template with every {{ NAME }} filled: by this project's secret of "
        "that name, or by a port such as {{ WEB_PORT }}. Whoever can read the file, an agent too, "
        "can read the values in it; `undercroft run` needs no file.",
    )
    parser.add_argument("template", type=Path, metavar="TEMPLATE", help="for example .env.tpl")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="readable by you alone; else the terminal"
    )
    parser.set_defaults(run=run_inject)


async def run_inject(args: argparse.Namespace, settings: Settings) -> int:
    """Fill a template, whole or not at all."""
    from undercroft.running import template  # noqa: PLC0415 - for this command

    if args.output is None:
        _require_person()
    text = template.read_template(args.template)
    if args.output is not None:
        template.check_target(args.output, args.template)
    wanted = template.names_in(text)
    async with opened(settings) as room:
        ports = await (await room.app.ports("cli")).variables(room.project, str(top_of(Path.cwd())))
        stored = set(await room.secrets.names()).intersection(wanted)
        template.check_known(text, stored | set(ports))
        purpose = f"inject {args.template.name}"[:200]
        # Without names, every secret would be meant.
        values = await room.secrets.use(sorted(stored), purpose=purpose) if stored else {}
    filled = template.fill(text, ports | values)
    if args.output is None:
        sys.stdout.write(filled)
        return 0
    template.write_private(args.output, filled)
    print(f"{args.output}: {len(wanted)} filled, readable by you alone", file=sys.stderr)
    return 0


def _require_person() -> None:
    """See that values are not printed to a program.

    Raises:
        Forbidden: Standard input or output is no terminal.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Forbidden(
            "Values are printed to a person at a terminal only.",
            hint="-o FILE writes a file that its owner alone can read. "
            "`undercroft run -- COMMAND` needs none.",
        )
