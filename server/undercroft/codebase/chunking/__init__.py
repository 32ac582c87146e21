"""A file's text as chunks that follow its syntax, and the symbols that it defines and uses."""

from __future__ import annotations

from undercroft.codebase.chunking.config import config
from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.languages import language_of
from undercroft.codebase.chunking.models import Chunk, Parsed, Symbol
from undercroft.codebase.chunking.prose import prose
from undercroft.codebase.chunking.scripts import parse_page
from undercroft.codebase.chunking.sql import parse_sql
from undercroft.codebase.chunking.syntax import parse_code

__all__ = ["VERSION", "Chunk", "Parsed", "Symbol", "language_of", "parse"]

VERSION = 1
"""Changes whenever the same text would give other chunks or symbols."""

PROSE = frozenset(("markdown", "rst", "org", "text"))
CONFIG = frozenset(("yaml", "toml", "ini", "json"))
PAGES = frozenset(("vue", "svelte", "astro"))
BY_LINES = frozenset(("csv", "jsonlines", "html", "xml", "heex", "twig", "latex", "css", "scss"))
"""Languages that indentation and blank lines divide well enough."""


def parse(path: str, text: str) -> Parsed:
    """The chunks and symbols of a file; never raises for what the text is.

    Every non-blank line is in a chunk, once and in order. Lines end with a newline only: a
    carriage return before it belongs to the line.
    """
    language = language_of(path, text)
    lines = Lines(text)
    if language in PROSE:
        return Parsed(language=language, chunks=prose(language, lines))
    if language in CONFIG:
        return Parsed(language=language, chunks=config(language, lines))
    if language in BY_LINES:
        return Parsed(language=language, chunks=_by_lines(lines))
    if language == "sql":
        outcome: tuple[list[Chunk], list[Symbol]] | str = parse_sql(lines)
    elif language in PAGES:
        outcome = parse_page(lines)
    else:
        outcome = parse_code(language, lines)
    if isinstance(outcome, str):
        return Parsed(language=language, chunks=_by_lines(lines), fallback=outcome)
    chunks, symbols = outcome
    return Parsed(language=language, chunks=chunks, symbols=symbols)


def _by_lines(lines: Lines) -> list[Chunk]:
    """Chunks cut where indentation and blank lines say."""
    parts = cut(lines, 0, len(lines.rows) - 1)
    return join(
        lines,
        (Piece(part.first, part.last, "block", "", "", part.start, part.end) for part in parts),
    )
