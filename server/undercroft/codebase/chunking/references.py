"""Names that a file uses, found in its code but not in its comments and texts."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.models import Symbol

if TYPE_CHECKING:
    from collections.abc import Iterable

TOKEN = re.compile(rb"\n|[A-Za-z_\x80-\xff][\w\x80-\xff]+[!?]?\(?")
LINES = 64
"""Lines of one name that are kept."""
LENGTH = 100
"""Bytes above which a name is none."""

_new = partial(tuple.__new__, Symbol)
"""A third of the time that the class takes."""


def references(
    data: bytes,
    masks: Iterable[tuple[int, int]],
    keywords: frozenset[bytes],
    definitions: Iterable[tuple[str, int]],
) -> list[Symbol]:
    """One symbol per name used outside the `masks`, but where it is defined: (name, line)."""
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    line = 1
    for token in TOKEN.findall(_code(data, masks)):
        if token != b"\n":
            found[token].append(line)
        else:
            line += 1
    called = _merge_calls(found)
    for keyword in keywords & found.keys():
        del found[keyword]
    for name, place in definitions:
        lines = found.get(name.encode("utf-8", "replace"))
        if lines and place in lines:
            lines.remove(place)
    return [
        _symbol(name, lines, "call" if name in called else "name")
        for name, lines in found.items()
        if lines and len(name) <= LENGTH
    ]


def _code(data: bytes, masks: Iterable[tuple[int, int]]) -> bytes:
    """The text without the masked bytes, but with their newlines."""
    kept = []
    at = 0
    for start, end in sorted(masks):
        if end <= at:
            continue
        if start > at:
            kept.append(data[at:start])
        if newlines := data.count(b"\n", max(start, at), end):
            kept.append(b"\n" * newlines)
        at = end
    kept.append(data[at:])
    return b" ".join(kept)


def _merge_calls(found: dict[bytes, list[int]]) -> set[bytes]:
    """`name(` becomes `name`; the names that were called."""
    called = set()
    for token in [token for token in found if token.endswith(b"(")]:
        name = token[:-1]
        called.add(name)
        lines = found.pop(token)
        found[name] = sorted(found[name] + lines) if name in found else lines
    return called


def _symbol(name: bytes, lines: list[int], kind: str) -> Symbol:
    first, last = lines[0], lines[-1]
    distinct = (first,) if first == last else tuple(dict.fromkeys(lines[: LINES * 4]))[:LINES]
    return _new((name.decode("utf-8", "replace"), kind, "reference", first, last, "", distinct))
