"""A value that a person types or pastes at the terminal, unseen: one whole line, or none of it.

A terminal gives a program one line at a time, and cuts a long one without a word. What was pasted
in several lines would be kept as its first.
"""

from __future__ import annotations

import os
import select
import sys
import termios
from typing import Any

from undercroft.errors import InvalidInput

LONGEST = 4095 if sys.platform.startswith("linux") else 1023
"""Bytes of a line that a terminal passes on; the rest is lost. Other systems have 1024."""
REST = 0.1
"""Seconds in which more that was pasted has come."""
_ECHO = 3
"""Where termios keeps its local modes."""


def typed_line(prompt: str, name: str) -> bytes:
    """The line that is typed, without its end and without an echo.

    Raises:
        InvalidInput: There is none, it was perhaps cut, or it is not all that was pasted.

    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        _let(terminal, before, termios.ECHO, termios.TCSAFLUSH)
        print(prompt, end="", file=sys.stderr, flush=True)
        line = _line(terminal)
        # What has no end of line yet is seen only where lines do not count.
        _let(terminal, before, termios.ECHO | termios.ICANON, termios.TCSANOW)
        more = bool(select.select([terminal], [], [], REST)[0])
    finally:
        # The rest goes with it: it is no command for the shell.
        termios.tcsetattr(terminal, termios.TCSAFLUSH, before)
        print(file=sys.stderr)
    if not line:
        raise InvalidInput("No value was given.")
    _refuse_part(line, name, more=more)
    return line.removesuffix(b"\n")


def _let(terminal: int, before: list[Any], off: int, when: int) -> None:
    """Take the local modes that are not wanted from those that were."""
    modes = list(before)
    modes[_ECHO] &= ~off
    termios.tcsetattr(terminal, when, modes)


def _line(terminal: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(terminal, 65_536)
        if not piece:
            break
        line += piece
    return line


def _refuse_part(line: bytes, name: str, *, more: bool) -> None:
    hint = f"Nothing was stored. Let it come from a file: undercroft secret set {name} < file"
    begins = line.startswith(b"-----BEGIN") and b"-----END" not in line
    if more or begins:
        raise InvalidInput("The value has several lines; here one is read.", hint=hint)
    if len(line.removesuffix(b"\n")) >= LONGEST:
        raise InvalidInput(
            f"The value is too long to be typed: a terminal cuts lines at {LONGEST} bytes.",
            hint=hint,
        )
