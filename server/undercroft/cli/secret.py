"""`undercroft secret …`: what a person does with secrets; no value is ever among the words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from undercroft.cli import secret_keys, secret_tables
from undercroft.cli.inject import add_inject
from undercroft.cli.secret_input import (
    confirm,
    given_value,
    given_variables,
    require_terminal,
    seconds_of,
)
from undercroft.cli.secret_room import Room, opened, say

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings

Run = Callable[["argparse.Namespace", "Settings"], Awaitable[int]]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "secret",
        help="store, use and rotate this project's secrets",
        description="Secrets of the project that this folder belongs to. Values are read from the "
        "terminal or standard input, never from the command line, which other programs see.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_going_in(verbs)
    _add_leaving(verbs)
    add_inject(verbs)
    secret_tables.add_verbs(verbs)
    secret_keys.add_verbs(verbs)


def _add_going_in(verbs: Any) -> None:
    named = _verb(verbs, "set", run_set, "give a secret a value: asks for it, or reads stdin")
    named.add_argument("--kind", default="", help="what it is; `secret templates` lists kinds")
    named.add_argument("--description", default="", help="what it is for")
    named.add_argument(
        "--expires-days", type=int, default=0, help="not used any more after so many"
    )
    made = _verb(verbs, "generate", run_generate, "make a value that nobody sees")
    made.add_argument("--kind", default="token", help="password, token, ssh_key, …")
    made.add_argument("--length", type=int, default=0, help="characters, where the kind has any")
    made.add_argument("--around", default="", help="for example postgresql://app:{}@localhost/app")
    made.add_argument("--description", default="", help="what it is for")
    turned = _verb(verbs, "rotate", run_rotate, "make the next value as the last was made")
    turned.add_argument("--every", type=int, metavar="DAYS", help="instead: list it as due; 0 ends")
    _verb(verbs, "delete", run_delete, "put a secret away")
    _verb(verbs, "restore", run_restore, "bring a deleted secret back")
    read = verbs.add_parser("import", help="store all variables of a .env file, or none")
    read.add_argument("file", metavar="FILE", help="- for stdin")
    read.add_argument("--json", action="store_true", help="for a program")
    read.set_defaults(run=run_import)


def _add_leaving(verbs: Any) -> None:
    shown = _verb(verbs, "show", run_show, "show a value to a person at a terminal", json=False)
    shown.add_argument("--version", type=int, default=0, help="an older one")
    allowed = _verb(verbs, "allow", run_allow, "let an agent see a value for a while", json=False)
    allowed.add_argument("--for", dest="time", default="10m", help="90s, 10m or 2h; 10m by default")
    allowed.add_argument("--once", action="store_true", help="one time only")


def _verb(verbs: Any, word: str, run: Run, text: str, *, json: bool = True) -> Any:
    parser = verbs.add_parser(word, help=text)
    parser.add_argument("name", metavar="NAME")
    if json:
        parser.add_argument("--json", action="store_true", help="for a program")
    parser.set_defaults(run=run)
    return parser


async def run_set(args: argparse.Namespace, settings: Settings) -> int:
    """Ask for a value, or read it, and keep it."""
    from undercroft.secrets.names import check_name  # noqa: PLC0415 - once a command needs it

    check_name(args.name)
    value = given_value(args.name)
    async with opened(settings) as room:
        kept = await room.secrets.set(
            args.name,
            value,
            kind=args.kind,
            description=args.description,
            expires_days=args.expires_days,
        )
    say(args, kept, f"{kept.name} has version {kept.version} in {room.project}.")
    return 0


async def run_import(args: argparse.Namespace, settings: Settings) -> int:
    """Keep every variable of a file; tell their names."""
    values = given_variables(args.file)
    async with opened(settings) as room:
        kept = await room.secrets.set_all(values)
    names = [one.name for one in kept]
    say(args, {"names": names}, "\n".join([f"stored in {room.project}:", *names]))
    return 0


async def run_generate(args: argparse.Namespace, settings: Settings) -> int:
    """Make a value."""
    async with opened(settings) as room:
        made = await room.secrets.generate(
            args.name,
            args.kind,
            length=args.length,
            around=args.around,
            description=args.description,
        )
    say(args, made, f"{made.name} has version {made.version} in {room.project}.")
    return 0


async def run_rotate(args: argparse.Namespace, settings: Settings) -> int:
    """Make the next value, or remember when one is wanted."""
    async with opened(settings) as room:
        if args.every is None:
            turned = await room.secrets.rotate(args.name)
        else:
            turned = await room.secrets.schedule_rotation(args.name, args.every)
    say(args, turned, f"{turned.name} has version {turned.version} in {room.project}.")
    return 0


async def run_delete(args: argparse.Namespace, settings: Settings) -> int:
    """Put it away."""
    async with opened(settings) as room:
        await room.secrets.delete(args.name)
    say(args, {"deleted": args.name}, f"{args.name} is put away; `secret restore` brings it back.")
    return 0


async def run_restore(args: argparse.Namespace, settings: Settings) -> int:
    """Bring it back."""
    async with opened(settings) as room:
        back = await room.secrets.restore(args.name)
    say(args, back, f"{back.name} is back with version {back.version}.")
    return 0


async def run_show(args: argparse.Namespace, settings: Settings) -> int:
    """Write a value to the terminal, where there is one."""
    require_terminal("A value is shown only to a person at a terminal.")
    async with opened(settings) as room:
        value = await room.secrets.show(args.name, version=args.version or None)
    print(value)
    return 0


async def run_allow(args: argparse.Namespace, settings: Settings) -> int:
    """Let an agent see a value, when a person has typed that it may."""
    require_terminal("Only a person at a terminal lets an agent see a value.")
    seconds = seconds_of(args.time)
    async with opened(settings) as room:
        secret = await _present(room, args.name)
        confirm(
            f"Agents may see {secret} of {room.project} {'once ' * args.once}within {seconds:g} s.",
            secret,
        )
        leave = await room.secrets.allow_reveal(secret, seconds, once=args.once)
    print(f"Until {leave.expires_at.astimezone():%H:%M:%S}{' , once' * leave.once}.")
    return 0


async def _present(room: Room, name: str) -> str:
    """The name, if there is such a secret: nobody should confirm what cannot be."""
    return (await room.secrets.facts(name)).name
