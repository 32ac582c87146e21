"""SQL: one piece for each statement, whatever the dialect."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.models import Chunk, Symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = re.compile(
    r"--[^\n]*|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|\"[^\"\n]*\""
    r"|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?:(?P=tag)|\Z)|(?P<end>;)|(?P<words>\b(?:begin\s+atomic|begin|case|end)\b)",
    re.DOTALL | re.IGNORECASE,
)
CREATE = re.compile(
    r"\bcreate\s+(?:or\s+(?:replace|alter)\s+)?(?:(?:temp|temporary|unlogged|unique|global|local|"
    r"materialized|recursive|definer\s*=\s*\S+|constraint|event)\s+)*"
    r"(?P<kind>table|view|function|procedure|trigger|index|type|schema|sequence|extension|policy|"
    r"role|domain|aggregate|database|package(?:\s+body)?)\s+(?:concurrently\s+)?"
    r"(?:if\s+not\s+exists\s+)?(?P<name>[\w.\"`\[\]$]+)",
    re.IGNORECASE,
)
NAMED = re.compile(r"\s*--\s*(?:name:\s*)?([A-Za-z_][\w.-]*)[!?<$^]*\s*(?:--)?\s*(?:\n|\Z)")
KINDS = {"function": "function", "procedure": "function", "trigger": "function", "view": "view"}


def parse_sql(lines: Lines) -> tuple[list[Chunk], list[Symbol]]:
    """The chunks, and a symbol for each thing that is created."""
    pieces = []
    symbols = []
    for first, last in _statements(lines):
        name, kind = _created(lines.joined(first, last))
        scope, _, bare = name.rpartition(".")
        if kind:
            symbols.append(Symbol(bare, kind, "definition", first + 1, last + 1, scope))
        pieces += [
            Piece(part.first, part.last, "statement", bare, scope, part.start, part.end)
            for part in cut(lines, first, last)
        ]
    return join(lines, pieces), symbols


def _statements(lines: Lines) -> Iterator[tuple[int, int]]:
    """Rows of each statement with the comment above it; those that share a row are one."""
    first = 0
    for end in _ends(lines.text):
        row = bisect_right(lines.before, end) - 1
        if row >= first:
            yield first, row
            first = row + 1
    if first < len(lines.rows):
        yield first, len(lines.rows) - 1


def _ends(text: str) -> Iterator[int]:
    """Where statements end: semicolons outside of texts, comments and BEGIN … END."""
    depth = 0
    atomic = False
    for found in TOKEN.finditer(text):
        if words := found["words"]:
            word = words.lower()
            if word.startswith("begin a"):
                atomic, depth = True, 1
            elif atomic:
                depth += -1 if word == "end" else 1
                atomic = depth > 0
        elif found["end"] and not atomic:
            yield found.start()


def _created(statement: str) -> tuple[str, str]:
    """The (name, kind) that a statement creates, or the name of a named query."""
    if found := CREATE.search(statement):
        kind = found["kind"].lower().split()[0]
        return re.sub(r"[\"`\[\]]", "", found["name"]), KINDS.get(kind, kind)
    if found := NAMED.match(statement):
        return found[1], "query"
    return "", ""
