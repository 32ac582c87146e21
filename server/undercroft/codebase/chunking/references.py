"""Names that a file uses, found in its code but not in its comments and texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.models import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TOKEN = re.compile(rb"\n|[A-Za-z_\x80-\xff][\w\x80-\xff]+[!?]?\(?")
LINES = 64
"""Lines of one name that are kept."""
LENGTH = 100
"""Bytes of a name above which it is none."""


def references(
    data: bytes,
    masks: Iterable[tuple[int, int]],
    keywords: frozenset[bytes],
    definitions: Sequence[tuple[str, int]],
) -> list[Symbol]:
    """One symbol per name used outside the `masks`, but where it is defined: (name, line)."""
    found: dict[bytes, list[int]] = {}
    called: set[bytes] = set()
    line = 1
    for token in TOKEN.findall(_code(data, masks)):
        if token == b"\n":
            line += 1
            continue
        if token[-1] == 40:  # noqa: PLR2004  an opening parenthesis
            token = token[:-1]  # noqa: PLW2901  the name without it
            called.add(token)
        lines = found.get(token)
        if lines is None:
            found[token] = [line]
        elif lines[-1] != line:
            lines.append(line)
    _forget(found, keywords, definitions)
    return [_symbol(name, lines, name in called) for name, lines in found.items() if lines]


def _code(data: bytes, masks: Iterable[tuple[int, int]]) -> bytes:
    """The text with the masked bytes blank, but for their newlines."""
    kept = []
    at = 0
    for start, end in sorted(masks):
        if start > at:
            kept.append(data[at:start])
        if end > at:
            kept.append(b"\n" * data.count(b"\n", max(start, at), end))
            at = end
    kept.append(data[at:])
    return b" ".join(kept)


def _forget(
    found: dict[bytes, list[int]], keywords: frozenset[bytes], definitions: Sequence[tuple[str, int]]
) -> None:
    for keyword in keywords & found.keys():
        del found[keyword]
    for name, line in definitions:
        lines = found.get(name.encode("utf-8", "replace"))
        if lines and line in lines:
            lines.remove(line)


def _symbol(name: bytes, lines: list[int], called: bool) -> Symbol:  # noqa: FBT001
    kind = "call" if called else "name"
    return Symbol(
        name.decode("utf-8", "replace"), kind, "reference", lines[0], lines[-1], "", tuple(lines[:LINES])
    )
