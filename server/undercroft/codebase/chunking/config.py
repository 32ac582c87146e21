"""Configuration: YAML, TOML, JSON and INI by their top-level keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.models import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

YAML_KEY = re.compile(
    r"([\w.$/\"'-][^:#{}\[\]]*?)\s*:(?:\s|$)|(?:-\s+)(?:name|id|uses|key):\s*(.+)|(---)"
)
TABLE = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
INI_KEY = re.compile(r"([\w.-]+)\s*[=:]")
JSON_KEY = re.compile(r'\s*"((?:[^"\\]|\\.)+)"\s*:')
JSON_ITEM = re.compile(r"\s*[{\[]")
COMMENT = re.compile(r"\s*(?:#|//|;)")
KEY = 60
"""Characters of a key that are kept."""


def config(language: str, lines: Lines) -> list[Chunk]:
    """A piece for each top-level key or table; long ones cut by indentation."""
    keys = {"yaml": _yaml, "toml": _toml, "ini": _ini, "json": _json}[language](lines.rows)
    return join(lines, _pieces(lines, dict(keys)))


def _pieces(lines: Lines, keys: dict[int, str]) -> Iterator[Piece]:
    begins = [0, *(row for row in keys if row)]
    for row, following in zip(begins, [*begins[1:], len(lines.rows)], strict=True):
        first = _above(lines.rows, row)
        last = _above(lines.rows, following) - 1 if following < len(lines.rows) else following - 1
        symbol = "_".join(keys.get(row, "").split())[:KEY]
        for part in cut(lines, first, last):
            yield Piece(part.first, part.last, "config", symbol, "", part.start, part.end)


def _above(rows: list[str], row: int) -> int:
    """The first row of the comment directly above a key."""
    while row and COMMENT.match(rows[row - 1]):
        row -= 1
    return row


def _yaml(rows: list[str]) -> Iterator[tuple[int, str]]:
    for number, row in enumerate(rows):
        if row[:1] not in " \t#" and (found := YAML_KEY.match(row)):
            yield number, (found.group(1) or found.group(2) or "").strip("\"'")


def _toml(rows: list[str]) -> Iterator[tuple[int, str]]:
    inside = False
    for number, row in enumerate(rows):
        if found := TABLE.match(row):
            inside = True
            yield number, found.group(1)
        elif not inside and (found := INI_KEY.match(row)):
            yield number, found.group(1)


def _ini(rows: list[str]) -> Iterator[tuple[int, str]]:
    return _toml(rows)


def _json(rows: list[str]) -> Iterator[tuple[int, str]]:
    """Keys, or items of an array, at the least indentation that has any."""
    least = min(
        (_indentation(row) for row in rows if JSON_KEY.match(row) or _item(row)), default=-1
    )
    for number, row in enumerate(rows):
        if _indentation(row) != least:
            continue
        if found := JSON_KEY.match(row):
            yield number, found.group(1)
        elif _item(row):
            yield number, ""


def _item(row: str) -> bool:
    return row[:1].isspace() and JSON_ITEM.match(row) is not None


def _indentation(row: str) -> int:
    return len(row) - len(row.lstrip())
