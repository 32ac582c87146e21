"""`undercroft run`: a command with this project's secrets and ports, whose output hides the values.

The database is left before the command starts, so that one that runs for days holds no connection;
an embedded PostgreSQL that nobody else uses stops. A command that asks Undercroft for something
finds or starts it as any other does.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from undercroft.checkout import top_of
from undercroft.errors import InvalidInput
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings


class Given(NamedTuple):
    """Variables for a child, by name."""

    ports: dict[str, str]
    secrets: dict[str, str]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "run",
        help="run a command with this project's secrets and ports; its output hides the values",
        usage="undercroft run [--only NAMES] [--no-secrets] [--no-ports] -- COMMAND …",
        description="Runs a command whose environment has the secrets of this folder's project and "
        "the ports of this folder's services. Wherever a value appears in its output, also in "
        "base64, hexadecimal or escaped, the secret's name stands instead. Signals reach the "
        "command, and its exit status is passed on.",
    )
    parser.add_argument("--only", metavar="NAMES", default="", help="these secrets: A,B")
    parser.add_argument("--no-secrets", action="store_true", help="no secrets")
    parser.add_argument("--no-ports", action="store_true", help="no ports")
    parser.add_argument("words", nargs="...", metavar="COMMAND", help="the command and its words")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Get what the command may have, and run it."""
    from undercroft.running.child import end_as, run_child  # noqa: PLC0415 - for this command
    from undercroft.running.environment import environment  # noqa: PLC0415
    from undercroft.running.program import NotStarted, find_program  # noqa: PLC0415

    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise InvalidInput("There is no command.", hint="undercroft run -- npm test")
    try:
        # Before anything is asked for: the access log is no place for a slip of the pen.
        find_program(words[0], os.environ)
        given = asyncio.run(_given(args, settings, words[0]))
        made = environment(os.environ, given.ports, given.secrets)
        _warn(given.secrets)
        return end_as(run_child(words, made, given.secrets))
    except NotStarted as error:
        print(f"undercroft: {error.message}", file=sys.stderr)
        return error.status


async def _given(args: argparse.Namespace, settings: Settings, program: str) -> Given:
    """The variables; the database is closed when they are there."""
    only = [name for name in args.only.split(",") if name]
    if only and args.no_secrets:
        raise InvalidInput("--only names secrets, and --no-secrets wants none.")
    if args.no_ports and args.no_secrets:
        return Given({}, {})
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning" if settings.log_level == "info" else settings.log_level, "auto")
    tree = top_of(Path.cwd())
    async with open_app(settings) as app:
        project = await project_of(app, tree)
        ports, secrets = {}, {}
        if not args.no_ports:
            ports = await (await app.ports("cli")).variables(project, str(tree))
        if not args.no_secrets:
            room = await app.secrets(project, settings.actor or getpass.getuser())
            # Its words may say more than a log should know.
            secrets = await room.use(only, purpose=f"run {Path(program).name}"[:200])
    return Given(ports, secrets)


def _warn(secrets: dict[str, str]) -> None:
    from undercroft.running.needles import too_short  # noqa: PLC0415 - for this command

    if names := too_short(secrets):
        print(
            f"undercroft: too short to be hidden in the output: {', '.join(names)}",
            file=sys.stderr,
        )
