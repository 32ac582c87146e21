"""`undercroft postgres start|stop|status|psql|logs`: the embedded server, by hand."""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from undercroft.db.embedded import EmbeddedPostgres
from undercroft.errors import InvalidInput
from undercroft.settings import Settings

if TYPE_CHECKING:
    from undercroft.db.embedded.lifecycle import Status

Command = Callable[[argparse.Namespace, Settings], Coroutine[Any, Any, int]]

FOLLOW_INTERVAL = 0.2
NOT_RUNNING = 3  # as `systemctl status` and `pg_ctl status` answer


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `postgres` to the command line."""
    parser = subparsers.add_parser("postgres", help="start, stop and look at the embedded server")
    commands = parser.add_subparsers(
        dest="postgres_command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    _add(commands, "start", start, "start it; it runs until `postgres stop`")
    stopping = _add(commands, "stop", stop, "stop it")
    stopping.add_argument("--force", action="store_true", help="even while others use it")
    showing = _add(commands, "status", status, "show whether it runs, where, and who uses it")
    showing.add_argument("--json", action="store_true", help="for a program")
    session = _add(commands, "psql", psql, "open psql on it; further words are passed to psql")
    session.add_argument(
        "--project",
        # The setting of that name, which stands before the command, counts as well.
        default=argparse.SUPPRESS,
        help="the database of this project, not the registry",
    )
    session.set_defaults(words=[])
    reading = _add(commands, "logs", logs, "show the server's log")
    reading.add_argument("-n", "--lines", type=int, default=50, help="how many lines (50)")
    reading.add_argument("-f", "--follow", action="store_true", help="go on as it grows")


class _Parser(argparse.ArgumentParser):
    """Gives words that it does not know to a command that has `words`, instead of refusing them."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, unknown = super().parse_known_args(args, namespace)
        if self.get_default("words") is None:
            return parsed, unknown
        parsed.words = unknown
        return parsed, []


def _add(commands: Any, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


async def start(_args: argparse.Namespace, settings: Settings) -> int:
    """Start the server and mark it to be kept."""
    address = await _embedded(settings).keep()
    _say(f"PostgreSQL runs (socket folder {address.host}) until `undercroft postgres stop`.")
    return 0


async def stop(args: argparse.Namespace, settings: Settings) -> int:
    """Stop the server, if nobody else uses it or by force."""
    stopped = await _embedded(settings).stop(force=args.force)
    _say("PostgreSQL has stopped." if stopped else "PostgreSQL was not running.")
    return 0


async def status(args: argparse.Namespace, settings: Settings) -> int:
    """Show the server; the exit status is 3 when it does not run."""
    found = await _embedded(settings).status()
    if args.json:
        _say(json.dumps(dataclasses.asdict(found)))
    else:
        for line in _described(found):
            _say(line)
    return 0 if found.running else NOT_RUNNING


def _described(found: "Status") -> Iterator[str]:
    mode = "running" if found.accepting else "starting, recovering or stopping"
    yield f"PostgreSQL {found.version}: {mode if found.running else 'not running'}"
    if found.running:
        yield f"  process  {found.pid}"
        yield f"  socket   {found.socket} (port {found.port})"
    yield f"  data     {found.data or 'none yet'} ({found.size / 1e6:.0f} MB)"
    if found.kept:
        yield "  kept     until `undercroft postgres stop`"
    for user in found.users:
        yield f"  user     {user.pid} {user.command}"


async def psql(args: argparse.Namespace, settings: Settings) -> int:
    """Run psql as one more user of the server, so that it stays up for the session."""
    source = _embedded(settings)
    address = await source.address()
    try:
        program = (await source.programs()).folder / "psql"
        if not program.exists():
            raise InvalidInput("There is no psql beside the server's programs.")
        project = getattr(args, "project", "") or settings.project
        database = f"project_{project}" if project else settings.registry_database
        environ = {name: value for name, value in os.environ.items() if name[:2] != "PG"}
        environ |= {"PGHOST": str(address.host), "PGPORT": str(address.port)}
        environ |= {"PGUSER": address.user, "PGDATABASE": database}
        with _interrupts_ignored():
            return await asyncio.to_thread(_run, [str(program), *args.words], environ)
    finally:
        await source.close()


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Leave Ctrl-C to psql, which cancels a query by it and goes on."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _run(command: list[str], environ: dict[str, str]) -> int:
    done = subprocess.run(command, env=environ, check=False)  # noqa: S603 - the user's own words
    return done.returncode


async def logs(args: argparse.Namespace, settings: Settings) -> int:
    """Show the end of the log, and with -f what is added to it."""
    source = _embedded(settings)
    files = await source.logs()
    for line in deque(_lines(files), maxlen=max(args.lines, 0)):
        _say(line)
    if args.follow:
        await _follow(source, files)
    return 0


def _lines(files: list[Path]) -> Iterator[str]:
    for path in files:
        with contextlib.suppress(FileNotFoundError), path.open(errors="replace") as log:
            yield from (line.rstrip("\n") for line in log)


async def _follow(source: EmbeddedPostgres, files: list[Path]) -> None:
    """Print what is added, in this file or in the next one, until interrupted."""
    seen = {path: path.stat().st_size for path in files}
    while True:
        for path in await source.logs():
            with path.open(errors="replace") as log:
                log.seek(seen.get(path, 0))
                sys.stdout.write(log.read())
                seen[path] = log.tell()
        sys.stdout.flush()
        await asyncio.sleep(FOLLOW_INTERVAL)


def _embedded(settings: Settings) -> EmbeddedPostgres:
    if settings.database_url:
        raise InvalidInput(
            "The server is an external one, which its own administrator starts and stops.",
            hint="Unset UNDERCROFT_DATABASE_URL to work on the embedded one.",
        )
    return EmbeddedPostgres(settings.home, settings.postgres_bindir)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
