"""Source code: its definitions become pieces of it, and its symbols."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.cutting import Lines
from undercroft.codebase.chunking.definitions import CALLS, CALLS_BEFORE
from undercroft.codebase.chunking.grammars import Grammar, grammar_of, parse_bounded
from undercroft.codebase.chunking.joining import join
from undercroft.codebase.chunking.models import Chunk, Symbol
from undercroft.codebase.chunking.references import references
from undercroft.codebase.chunking.units import NAME, Unit, begins, named, nest, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

LARGE = 600_000
"""Bytes of a file above which it is not parsed."""
BROKEN = 0.5
"""Share of a file in errors above which its tree is not trusted."""
LAST = 1_000
"""More than there are patterns."""
DECLARATORS = 8
"""Declarators around a name."""


C_FAMILY = frozenset(("c", "cpp", "objc", "cuda"))
MACROS = re.compile(
    rb"^[A-Z_][A-Z0-9_]{4,}[ \t]*\r?$"
    rb"|(?<=\bclass )[A-Z][A-Z0-9_]{3,}(?:\([^()\n]*\))?(?= +\w)"
    rb"|(?<=\bstruct )[A-Z][A-Z0-9_]{3,}(?:\([^()\n]*\))?(?= +\w)",
    re.MULTILINE,
)
"""Macros that a grammar cannot know: alone in a line, or between `class` and its name."""


@dataclass(slots=True)
class Findings:
    """What the query found in a tree."""

    units: dict[int, Unit] = field(default_factory=dict)
    """By the place of the name, in bytes."""
    before: dict[int, int] = field(default_factory=dict)
    """Last row → first row of what belongs to the definition below it."""
    masks: list[tuple[int, int]] = field(default_factory=list)
    """Bytes that are comments or texts."""
    errors: int = 0
    """Bytes that the grammar could not read."""


def parse_code(language: str, lines: Lines) -> tuple[list[Chunk], list[Symbol]] | str:
    """The chunks and symbols; or why there is no tree to be trusted."""
    grammar = grammar_of(language)
    if grammar is None:
        return "no grammar"
    data = lines.text.encode("utf-8", "replace")
    source = MACROS.sub(_blank, data) if language in C_FAMILY else data
    if len(data) > LARGE:
        return "too large"
    tree = parse_bounded(grammar, source)
    if tree is None:
        return "timeout"
    root = tree.root_node
    findings = _find(grammar, root, lines, data)
    if findings.errors > BROKEN * len(data) and not findings.units:
        return "errors"
    top = nest(findings.units.values(), root, len(lines.rows) - 1)
    chunks = join(lines, pieces(lines, top, findings.before))
    units = list(_all(top))
    places = [(unit.name, unit.row + 1) for unit in units]
    used = references(data, findings.masks, grammar.keywords, places)
    return chunks, [_definition(unit) for unit in units] + used


def _blank(found: re.Match[bytes]) -> bytes:
    return b" " * len(found[0])


def _find(grammar: Grammar, root: Node, lines: Lines, data: bytes) -> Findings:
    from tree_sitter import QueryCursor  # noqa: PLC0415  loaded with the first file

    found = Findings()
    masks, kinds = found.masks, grammar.kinds
    numbers: dict[int, int] = {}
    for number, captures in QueryCursor(grammar.query).matches(root):
        kind = kinds[number]
        if kind == "string":
            masks.append(captures["string"][0].byte_range)
        elif kind == "comment":
            node = captures["comment"][0]
            masks.append(node.byte_range)
            _note_before(found.before, node, lines)
        elif kind == "before":
            if "call" not in captures or _text(captures["call"][0], data) in CALLS_BEFORE:
                _note_before(found.before, captures["before"][-1], lines)
        elif kind == "error":
            node = captures["error"][0]
            found.errors += node.end_byte - node.start_byte
        elif (unit := _unit(kind, captures, data)) and number < numbers.get(unit.place, LAST):
            numbers[unit.place] = number
            found.units[unit.place] = unit
    for unit in found.units.values():
        _end_with_code(unit, found.before, lines)
    return found


def _end_with_code(unit: Unit, before: dict[int, int], lines: Lines) -> None:
    """Cut off what belongs to the next: grammars of indented languages end where that begins."""
    row, column = unit.node.end_point
    if lines.rows[row][:column].strip():
        return
    last = row
    while last > unit.first and (last == row or not lines.rows[last].strip() or last in before):
        last = before.get(last, last) - 1
    unit.last = max(last, unit.first)


def _note_before(before: dict[int, int], node: Node, lines: Lines) -> None:
    first, column = node.start_point
    if begins(lines.rows[first], column):
        before[_last_row(node, first)] = first


def _unit(kind: str, captures: dict[str, list[Node]], data: bytes) -> Unit | None:
    if kind == "call":
        kind = CALLS.get(_text(captures["call"][0], data), "")
        if not kind:
            return None
    node = captures["unit"][0]
    first = node.start_point[0]
    called = _name(captures["name"][0]) if "name" in captures else node
    name, scope = named(_text(called, data)) if called is not node else ("", "")
    if "scope" in captures:
        inner, outer = named(_text(captures["scope"][0], data))
        scope = f"{outer}.{inner}" if outer else inner
    return Unit(
        node=node,
        kind=kind,
        name=name,
        scope=scope,
        first=first,
        last=_last_row(node, first),
        start=node.start_byte,
        end=node.end_byte,
        row=called.start_point[0],
        place=called.start_byte,
    )


def _name(node: Node) -> Node:
    """The name in a declarator, or in the head of a call that defines."""
    for _ in range(DECLARATORS):
        if not node.child_count:
            return node
        inner = (
            node.child_by_field_name("declarator")
            or (node.child_by_field_name("left") if node.type == "binary_operator" else None)
            or (node.child_by_field_name("target") if node.type == "call" else None)
        )
        if inner is None and node.type.endswith("_declarator"):
            inner = node.named_child(0)
        if inner is None:
            return node
        node = inner
    return node


def _text(node: Node, data: bytes) -> str:
    return data[node.start_byte : min(node.end_byte, node.start_byte + NAME)].decode(
        "utf-8", "replace"
    )


def _last_row(node: Node, first: int) -> int:
    """A node that ends with a newline ends in the row of that newline."""
    row, column = node.end_point
    return row if column or row == first else row - 1


def _all(unit: Unit) -> Iterator[Unit]:
    waiting = unit.children[::-1]
    while waiting:
        child = waiting.pop()
        yield child
        waiting.extend(child.children[::-1])


def _definition(unit: Unit) -> Symbol:
    return Symbol(unit.name, unit.kind, "definition", unit.first + 1, unit.last + 1, unit.scope)
