"""Definitions, nested as they are in the file, and the pieces that they make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.definitions import UNITS
from undercroft.codebase.chunking.joining import Piece
from undercroft.codebase.chunking.models import SMALL, TARGET, WHOLE, ChunkKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

CONTAINED = 1_000
"""Characters up to which a definition stays in one chunk with the definitions inside it."""
NESTING = 12
"""Definitions within definitions that make pieces of their own."""
ROWS = 12
"""Rows of a field or a local name above which what it defines makes pieces."""
QUALIFIER = re.compile(r"::|\.|(?<=\w):(?=\w)")
ARGUMENTS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)")
NAME = 120
"""Characters of a name that are kept."""
FILLERS = frozenset(("prototype", "exports", "module", "this", "self"))


@dataclass(slots=True)
class Unit:
    """One definition: its rows from 0, its bytes, and what is defined inside it."""

    node: Node
    kind: str
    name: str
    scope: str
    """Before `nest`: what its own name says; after: everything that encloses it."""
    first: int
    last: int
    start: int
    end: int
    row: int
    """The row of its name."""
    place: int
    """The first byte of its name."""
    children: list[Unit] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The scope of what is inside."""
        return f"{self.scope}.{self.name}" if self.scope and self.name else self.name or self.scope

    @property
    def chunk_kind(self) -> ChunkKind:
        """The kind of its chunks."""
        return UNITS[self.kind]  # type: ignore[return-value]


def named(text: str) -> tuple[str, str]:
    """A qualified name as (name, scope)."""
    if text.isidentifier():
        return text[:NAME], ""
    text = "_".join(text[:NAME].split())
    if "operator" in text:
        outer, _, name = text.rpartition("::")
        return name, outer.replace("::", ".")
    while (bare := ARGUMENTS.sub("", text)) != text:
        text = bare
    parts = [part.strip("#$@'\"`:&*") for part in QUALIFIER.split(text)]
    parts = [part for part in parts if part]
    scope = [part for part in parts[:-1] if part not in FILLERS]
    return (parts[-1] if parts else "", ".".join(scope))


def nest(units: Iterable[Unit], root: Node, last: int) -> Unit:
    """The file as one unit; each definition among the children of what encloses it."""
    top = Unit(root, "module", "", "", 0, last, -1, root.end_byte + 1, -1, -1)
    path = [top]
    for unit in sorted(units, key=lambda unit: (unit.start, -unit.end)):
        while unit.start >= path[-1].end:
            path.pop()
        outer = path[-1]
        qualified = unit.scope
        if outer.path:
            unit.scope = f"{outer.path}.{unit.scope}" if unit.scope else outer.path
        if unit.kind == "function" and (qualified or UNITS.get(outer.kind) == "class"):
            unit.kind = "method"
        outer.children.append(unit)
        path.append(unit)
    return top


def pieces(
    lines: Lines, unit: Unit, before: dict[int, int], first: int = 0, depth: int = 0
) -> Iterator[Piece]:
    """The rows of a unit from `first` on, in order, as what it defines divides them."""
    inner = list(_inner(unit)) if depth < NESTING else []
    size = lines.size(first, unit.last)
    contained = CONTAINED if inner and UNITS[unit.kind] in {"class", "module"} else WHOLE
    if depth and size <= contained:
        yield Piece(first, unit.last, unit.chunk_kind, unit.name, unit.scope)
        return
    rest = _Rest(lines, unit, before)
    cursor = first
    for child in inner:
        if child.last < cursor:
            continue
        begin = _with_what_stands_before(lines, max(child.first, cursor), cursor, before)
        yield from rest.between(cursor, begin - 1, header=cursor == first)
        yield from pieces(lines, child, before, begin, depth + 1)
        cursor = child.last + 1
    yield from rest.between(cursor, unit.last, header=cursor == first)


def _inner(unit: Unit) -> Iterator[Unit]:
    """The nearest definitions inside that make chunks; what a function holds are its statements."""
    code = unit.chunk_kind in {"function", "method"}
    waiting = unit.children[::-1]
    while waiting:
        child = waiting.pop()
        kind = UNITS.get(child.kind)
        if kind is None or (code and kind == "statement"):
            if child.last - child.first > ROWS:
                waiting.extend(child.children[::-1])
        else:
            yield child


def _with_what_stands_before(lines: Lines, first: int, cursor: int, before: dict[int, int]) -> int:
    """The first row of the comments and attributes above; a block comment may keep a blank row."""
    while first - 1 >= cursor:
        above = before.get(first - 1)
        if above is None and first - 2 >= cursor and not lines.rows[first - 1].strip():
            above = before.get(first - 2)
            if above is None or above in {0, first - 2}:
                break
        if above is None:
            break
        first = max(above, cursor)
    return first


class _Rest:
    """What lies between the definitions inside a unit."""

    def __init__(self, lines: Lines, unit: Unit, before: dict[int, int]) -> None:
        self.lines = lines
        self.unit = unit
        self.before = before
        self.depths: dict[int, int] | None = None

    def between(self, first: int, last: int, *, header: bool) -> Iterator[Piece]:
        """The pieces of those rows; the first of a unit carry its name."""
        trimmed = self.lines.trimmed(first, last)
        if trimmed is None:
            return
        first, last = trimmed
        if self.depths is None and self.lines.size(first, last) > TARGET:
            self.depths = _depths(self.lines, self.unit, self.before)
        unit = self.unit
        named = header or unit.chunk_kind in {"function", "method"}
        symbol, scope = (unit.name, unit.scope) if named else ("", unit.path)
        for part in cut(self.lines, first, last, self.depths):
            leads = part.last == last and ((header and unit.row >= 0) or last in self.before)
            yield Piece(
                part.first, part.last, unit.chunk_kind, symbol, scope, part.start, part.end, leads
            )


def _depths(lines: Lines, unit: Unit, before: dict[int, int]) -> dict[int, int]:
    """Where statements of a unit begin, outside of its definitions: row → depth."""
    found: dict[int, int] = {}
    skipped = {child.node.id for child in _inner(unit)}
    waiting = [(unit.node, 0)]
    while waiting:
        node, depth = waiting.pop()
        for child in node.children:
            row, column = child.start_point
            if child.is_named and row - 1 not in before and begins(lines.rows[row], column):
                found[row] = min(depth, found.get(row, depth))
            end = child.end_point[0]
            if end > row and child.id not in skipped and lines.size(row, end) > SMALL:
                waiting.append((child, depth + 1))
    return found


def begins(row: str, column: int) -> bool:
    """Whether what stands at that column is the first thing in its row."""
    return len(row) - len(row.lstrip()) == column
