"""Pages that hold scripts (Vue, Svelte, Astro): scripts are parsed, the rest is cut by lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.models import Chunk, Symbol
from undercroft.codebase.chunking.syntax import parse_code

if TYPE_CHECKING:
    from collections.abc import Iterator

OPEN = re.compile(r"\s*<script\b([^>]*)>\s*$|(---)\s*$")
CLOSE = re.compile(r"\s*</script>\s*$|(---)\s*$")
TYPED = re.compile(r"\blang\s*=\s*[\"']?tsx?\b")


def parse_page(lines: Lines) -> tuple[list[Chunk], list[Symbol]]:
    """Chunks of the page in order; symbols of its scripts."""
    chunks: list[Chunk] = []
    symbols: list[Symbol] = []
    cursor = 0
    for first, last, language in _scripts(lines.rows):
        chunks += _markup(lines, cursor, first - 1)
        text = "\n" * first + lines.joined(first, last)
        outcome = parse_code(language, Lines(text))
        if isinstance(outcome, str):
            chunks += _markup(lines, first, last)
        else:
            chunks += outcome[0]
            symbols += outcome[1]
        cursor = last + 1
    return chunks + _markup(lines, cursor, len(lines.rows) - 1), symbols


def _markup(lines: Lines, first: int, last: int) -> list[Chunk]:
    parts = cut(lines, first, last)
    return join(
        lines,
        (Piece(part.first, part.last, "block", "", "", part.start, part.end) for part in parts),
    )


def _scripts(rows: list[str]) -> Iterator[tuple[int, int, str]]:
    """The first and last row inside each script, and its language."""
    begin = -1
    language = ""
    for number, row in enumerate(rows):
        if begin >= 0:
            if CLOSE.match(row):
                if begin < number:
                    yield begin, number - 1, language
                begin = -1
        elif found := OPEN.match(row):
            begin = number + 1
            language = "typescript" if found[2] or TYPED.search(found[1]) else "javascript"
