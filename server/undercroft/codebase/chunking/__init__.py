"""A file's text as chunks that follow its syntax, and the symbols that it defines and uses."""

from __future__ import annotations

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.languages import language_of
from undercroft.codebase.chunking.models import Chunk, ChunkKind, Parsed, Symbol
from undercroft.codebase.chunking.syntax import parse_code

__all__ = ["VERSION", "Chunk", "Parsed", "Symbol", "language_of", "parse"]

VERSION = 1
"""Changes whenever the same text would give other chunks or symbols."""

PLAIN = frozenset(("text", "csv", "jsonlines"))
"""Languages without a grammar, for which lines are right."""


def parse(path: str, text: str) -> Parsed:
    """The chunks and symbols of a file; never raises for what the text is.

    Every non-blank line is in a chunk, once and in order. Lines end with a newline only: a
    carriage return before it belongs to the line.
    """
    language = language_of(path, text)
    lines = Lines(text)
    if language in PLAIN:
        return Parsed(language=language, chunks=by_lines(lines, "block"))
    outcome = parse_code(language, lines)
    if isinstance(outcome, str):
        return Parsed(language=language, chunks=by_lines(lines, "block"), fallback=outcome)
    chunks, symbols = outcome
    return Parsed(language=language, chunks=chunks, symbols=symbols)


def by_lines(lines: Lines, kind: ChunkKind) -> list[Chunk]:
    """Chunks cut where indentation and blank lines say."""
    parts = cut(lines, 0, len(lines.rows) - 1)
    return join(lines, (Piece(part.first, part.last, kind, "", "", part.start, part.end) for part in parts))
