"""Files of variables as shells and `dotenv` read them: NAME=value, quotes, comments, many lines."""

from __future__ import annotations

import re

from undercroft.errors import InvalidInput

_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_HEAD = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]{0,127})[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"((?:[^\s#]|(?<=\S)#|[ \t]+(?=[^\s#]))*)")
_REST = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}


def parse(text: str) -> dict[str, str]:
    r"""Names and values; the last of several with one name counts.

    `'…'` is taken as it is, `"…"` knows \n, \r, \t, \", \\ and \$, both may have many lines;
    without quotes a value ends with its line, or before ` #`. Nothing is substituted.

    Raises:
        InvalidInput: A line is none of this; its number is told, never its text.

    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        if (blank := _BLANK.match(text, at)) and blank.end() > at:
            at = blank.end()
            continue
        head = _HEAD.match(text, at)
        if head is None:
            raise _unreadable(text, at)
        values[head[1]], at = _value(text, head.end())
    return values


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where the next line does."""
    quote = text[at : at + 1]
    pattern = {"'": _SINGLE, '"': _DOUBLE}.get(quote, _PLAIN)
    found = pattern.match(text, at)
    rest = _REST.match(text, found.end()) if found else None
    if found is None or rest is None:
        raise _unreadable(text, at)
    value = found[1]
    if quote == '"':
        value = _ESCAPE.sub(lambda one: _MEANT.get(one[1], one[1]), value)
    return value, rest.end()


def _unreadable(text: str, at: int) -> InvalidInput:
    line = text.count("\n", 0, at) + 1
    return InvalidInput(
        f"Line {line} is not of the form NAME=value.",
        hint="Nothing was stored. Close its quotes, or make it a comment with #.",
    )
