"""How a form of a secret is spelled: letter for letter, or with what programs put into it.

A spelling says where an occurrence of it ends, and whether a text that stops too early may be the
beginning of one. It never looks before the place that it is asked about.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

START = 6
"""Bytes of the beginning of every occurrence, by which it is looked for."""

_PERCENT, _SPACE, _PLUS = b"% +"
_ALPHANUMERIC = frozenset((string.ascii_letters + string.digits).encode())
_NO_PERCENT = re.compile(rb"[^%]*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_DIGITS = re.compile(rb"[A-Za-z0-9+/_=-]*")
_BREAK = re.compile(rb"(?:[ \t\r\n]|\\[rn]){1,40}")
"""A line's end with an indent, also as JSON and other languages escape it."""


class Spelling(Protocol):
    """One form of a secret."""

    @property
    def text(self) -> bytes:
        """The form with nothing put into it."""

    def starts(self) -> Iterator[bytes]:
        """Every `START` bytes by which an occurrence may begin."""

    def end(self, text: bytes, at: int) -> tuple[int, bool]:
        """Where an occurrence at that place ends, else 0; and whether one may still become."""


@dataclass(frozen=True)
class Exact:
    """Letter for letter."""

    text: bytes

    def starts(self) -> Iterator[bytes]:
        """One."""
        yield self.text[:START]

    def end(self, text: bytes, at: int) -> tuple[int, bool]:
        """As of every spelling."""
        if text.startswith(self.text, at):
            return at + len(self.text), False
        return 0, len(text) - at < len(self.text) and self.text.startswith(text[at:])


@dataclass(frozen=True)
class Broken:
    """Digits of base64 or hexadecimal, which may go on in the next line, but not among the first.

    What `START` promises must stand in one line: a shorter beginning would hold back the end of
    every other line. `broken` has what is left for the next line then.
    """

    text: bytes

    def starts(self) -> Iterator[bytes]:
        """One."""
        yield self.text[:START]

    def end(self, text: bytes, at: int) -> tuple[int, bool]:
        """As of every spelling."""
        done = 0
        while True:
            left = len(self.text) - done
            piece = text[at : _end(_DIGITS, text, at, at + left)]
            if not self.text.startswith(piece, done) or not piece:
                return 0, False
            at, done = at + len(piece), done + len(piece)
            if done == len(self.text):
                return at, False
            if done < START:
                return 0, at == len(text)
            at = _end(_BREAK, text, at, len(text))
            if text[at:] in {b"", b"\\"}:
                return 0, True


@dataclass(frozen=True)
class Percent:
    """Each byte as it is or as `%XX`, a space also as `+` (RFC 3986, WHATWG URL).

    Libraries differ in what they leave as it is; this holds for every choice, where letters and
    digits are left or everything is escaped. A plus and a space are taken for the same.
    """

    text: bytes

    def starts(self) -> Iterator[bytes]:
        """All combinations of what programs differ in: a letter is escaped only where all is."""
        first = self.text[:START]
        yield from _combinations(
            [[b"%c" % byte] if byte in _ALPHANUMERIC else _ways(byte) for byte in first]
        )
        for form in (b"%%%02X", b"%%%02x"):
            yield b"".join(form % byte for byte in first)[:START]

    def end(self, text: bytes, at: int) -> tuple[int, bool]:
        """As of every spelling."""
        plain = self.text.replace(b"+", b" ")
        best, partial = 0, False
        ways = [(at, 0)]
        while ways:
            at, done = ways.pop()
            stop = _end(_NO_PERCENT, text, at, at + len(plain) - done)
            piece = text[at:stop].replace(b"+", b" ")
            if not plain.startswith(piece, done):
                continue
            at, done = stop, done + len(piece)
            if done == len(plain):
                best = max(best, at)
            elif at == len(text):
                partial = True
            else:
                # A percent sign that was left as it is, or an escape.
                if plain[done] == _PERCENT:
                    ways.append((at + 1, done + 1))
                if escape := _ESCAPE.match(text, at):
                    if _unplus(int(escape[1], 16)) == plain[done]:
                        ways.append((at + 3, done + 1))
                elif len(text) - at < len("%XX"):
                    partial = partial or _may_escape(text[at:], plain[done])
        return best, partial


def broken(digits: bytes) -> Iterator[Broken]:
    """Digits, and what is left of them if fewer than `START` stand at the end of a line."""
    for cut in range(min(START, len(digits) - START + 1)):
        yield Broken(digits[cut:])


def _end(pattern: re.Pattern[bytes], text: bytes, at: int, until: int) -> int:
    found = pattern.match(text, at, until)
    return found.end() if found else at


def _unplus(byte: int) -> int:
    return _SPACE if byte == _PLUS else byte


def _may_escape(beginning: bytes, byte: int) -> bool:
    return any(way.upper().startswith(beginning.upper()) for way in _ways(byte))


def _ways(byte: int) -> list[bytes]:
    """A byte, and its escapes."""
    every = {_SPACE, _PLUS} if byte in {_SPACE, _PLUS} else {byte}
    ways = [form % one for one in every for form in (b"%c", b"%%%02X", b"%%%02x")]
    return list(dict.fromkeys(ways))


def _combinations(ways: list[list[bytes]], before: bytes = b"") -> Iterator[bytes]:
    """Every beginning, cut to its length."""
    if len(before) >= START:
        yield before[:START]
        return
    for way in ways[0]:
        yield from _combinations(ways[1:], before + way)
