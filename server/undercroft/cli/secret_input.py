"""Values and confirmations from a person: by the terminal without an echo, or by standard input."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from undercroft.errors import Forbidden, InvalidInput, LimitReached

_TIME = re.compile(r"([0-9]{1,6})([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
MOST = 1_000_000
"""Bytes that are read."""


def given_value(name: str) -> str:
    """The value of a secret, without its one last line break.

    Raises:
        InvalidInput: It is no text, there is none, or a terminal has not given all of it.

    """
    if sys.stdin.isatty():
        from undercroft.cli.secret_prompt import typed_line  # noqa: PLC0415 - only at a terminal

        return _decoded(typed_line(f"Value of {name} (not shown): ", name))
    text = _decoded(sys.stdin.buffer.read(MOST + 1))
    return text.removesuffix("\n").removesuffix("\r")


def given_variables(file: str) -> dict[str, str]:
    """The variables of a .env file, or of standard input.

    Raises:
        InvalidInput: It cannot be read, has a line that is none, or has none at all.

    """
    from undercroft.secrets.dotenv import parse  # noqa: PLC0415 - once a command needs it

    if file == "-":
        text = _decoded(sys.stdin.buffer.read(MOST + 1))
    else:
        try:
            with Path(file).open("rb") as opened:
                text = _decoded(opened.read(MOST + 1))
        except OSError as error:
            raise InvalidInput(f"The file cannot be read: {error.strerror}.") from None
    values = parse(text)
    if not values:
        raise InvalidInput("There is no variable in it.")
    return values


def _decoded(raw: bytes) -> str:
    if len(raw) > MOST:
        raise LimitReached(f"More than {MOST} bytes are more than secrets are.")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidInput("It is not text in UTF-8.") from None


def require_terminal(sentence: str) -> None:
    """Refuse where input or output is not a terminal: a person is not there.

    Raises:
        Forbidden: One of them is a pipe or a file.

    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Forbidden(sentence, hint="Run it yourself in a terminal, without pipes.")


def confirm(what: str, word: str) -> None:
    """Have a person type a word.

    Raises:
        Forbidden: They typed something else.

    """
    print(what)
    try:
        typed = input(f"Type {word} to agree: ")
    except EOFError:
        typed = ""
    if typed.strip() != word:
        raise Forbidden("Nothing was allowed.")


def seconds_of(time: str) -> float:
    """How long `90s`, `10m` or `2h` is.

    Raises:
        InvalidInput: It is none of these.

    """
    found = _TIME.fullmatch(time)
    if found is None:
        raise InvalidInput("A time is a number of seconds, or has s, m or h behind it: 10m.")
    return float(int(found[1]) * _SECONDS[found[2]])
