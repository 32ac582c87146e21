"""One pattern of an ignore file as a regular expression that cannot run away.

A `*` takes the earliest place where what follows it fits and never looks back (atomic groups),
which is right because the next `*` may take up any slack; only the last part of a name has to
reach its end. So matching costs about pattern times name, however hostile the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 1000
_STAR = "*"
_GLUED = re.compile(r"([^*?\[\\]*[^*?\[\\/])(?=\*\*+/)")
_FOLDERS = re.compile(r"\*\*+")
_ESCAPED_SLASH = re.compile(r"(?<!\\)((?:\\\\)*)\\/")
_FOLDERS_ESCAPED_SLASH = re.compile(r"(?<!\\)\*\*+\\/")
_WILD = re.compile(r"[*?\[\\]")
_POSIX = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}


class Pattern(NamedTuple):
    """One line of an ignore file."""

    negated: bool
    folders_only: bool
    expression: str
    """To be matched at the beginning of a path relative to the ignore file's folder."""


class _NeverError(ValueError):
    """Git would match nothing by this pattern."""


def parse(line: str) -> Pattern | None:
    """The pattern in a line; None for a comment, a blank line and what can match nothing."""
    line = _without_trailing_spaces(line.removesuffix("\r"))
    if not line or line.startswith("#") or len(line) > _LONGEST:
        return None
    negated = line.startswith("!")
    line = line[negated:]
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    anchored = "/" in line
    line = _with_plain_slashes(line.removeprefix("/"))
    if not line:
        return None
    try:
        expression = _anchored(line) if anchored else f"(?:.*/)?+{_segment(line)}\\Z"
    except _NeverError:
        return None
    return Pattern(negated, folders_only, expression)


def _without_trailing_spaces(line: str) -> str:
    """Git's rule: spaces at the end go, unless a backslash stands before the first one kept."""
    bare = line.rstrip(" ")
    backslashes = len(bare) - len(bare.rstrip("\\"))
    return bare + " " if backslashes % 2 and bare != line else bare


def _with_plain_slashes(line: str) -> str:
    """A backslash before a slash changes nothing but that `**` stands for one folder at least."""

    def folders(found: re.Match[str]) -> str:
        before = line[: found.start()]
        return "*/**/" if before.endswith("/") or not _WILD.search(before) else "*/"

    return _ESCAPED_SLASH.sub(r"\1/", _FOLDERS_ESCAPED_SLASH.sub(folders, line))


def _anchored(pattern: str) -> str:
    """Two stars or more between slashes stand for any folders; the names between are a block."""
    if glued := _GLUED.match(pattern):
        # Git compares what stands before the first wildcard by itself, so `**` begins the rest.
        return re.escape(glued[1]) + _anchored(pattern[glued.end(1) :])
    blocks: list[list[str]] = [[]]
    for part in pattern.split("/"):
        if not _FOLDERS.fullmatch(part):
            blocks[-1].append(_segment(part))
        elif blocks[-1] or len(blocks) == 1:
            blocks.append([])
    first, *others = ["/".join(block) for block in blocks]
    if not others:
        return f"{first}\\Z"
    expression = f"{first}/" if blocks[0] else ""
    for block in others[:-1]:
        expression += f"(?>(?:[^/]*/)*?{block}/)"
    # A name without letters, between two slashes, is one too: no path has it.
    return expression + (f"(?:[^/]*/)*?{others[-1]}\\Z" if blocks[-1] else ".+\\Z")


def _segment(name: str) -> str:
    """A name between slashes, whole."""
    chunks = [""]
    for piece in _pieces(name):
        if piece == _STAR:
            chunks.append("")
        else:
            chunks[-1] += piece
    first, *others = chunks
    if not others:
        return first
    middle = "".join(f"(?>[^/]*?{chunk})" for chunk in others[:-1] if chunk)
    return f"(?>{first}{middle}[^/]*{others[-1]}(?=/|\\Z))"


def _pieces(name: str) -> Iterator[str]:
    """Each character of a glob as an expression for one character, or `_STAR`."""
    at = 0
    while at < len(name):
        char = name[at]
        if char == "[":
            piece, at = _bracket(name, at + 1)
            yield piece
            continue
        if char == "\\":
            at += 1
            if at == len(name):
                raise _NeverError
            yield re.escape(name[at])
        else:
            yield {"*": _STAR, "?": "[^/]"}.get(char) or re.escape(char)
        at += 1


def _bracket(name: str, at: int) -> tuple[str, int]:
    """The character class that begins behind an opening bracket, and where it ends."""
    negated = name[at : at + 1] in {"!", "^"}
    at += negated
    begin = at
    members = ""
    while at < len(name) and (name[at] != "]" or at == begin):
        posix = re.compile(r"\[:([a-z]*):\]").match(name, at)
        if posix:
            if posix[1] not in _POSIX:
                raise _NeverError
            members += _POSIX[posix[1]]
            at = posix.end()
            continue
        low, at = _member(name, at)
        high = low
        if name[at : at + 1] == "-" and name[at + 1 : at + 2] not in {"", "]"}:
            high, at = _member(name, at + 1)
        members += re.escape(low)  # even of a range that is none, as in "z-a"
        if low < high:
            members += f"-{re.escape(high)}"
    if at >= len(name):
        raise _NeverError
    if not members:
        return ("[^/]" if negated else "(?!)"), at + 1
    return f"(?!/)[{'^' * negated}{members}]", at + 1


def _member(name: str, at: int) -> tuple[str, int]:
    if name[at] == "\\":
        at += 1
    if at >= len(name):
        raise _NeverError
    return name[at], at + 1
