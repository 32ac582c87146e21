"""Functions and classes of a file with their documentation, found in its syntax tree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from training.comments import cleaned, said
from training.languages import ASSIGNED, BETWEEN, CLASSES, CONTAINERS, FUNCTIONS, WRAPPERS

DEEPEST = 12
CALLS = {"def": "function", "defp": "function", "defmacro": "function", "defmodule": "class"}
FUNCTION_VALUE = re.compile(r"=\s*(?:async\s*)?(?:function|\([^()]*\)\s*(?::[^=]+)?=>|\w+\s*=>)")
NAME = re.compile(r"[A-Za-z_$][\w$.:]*(?=\s*[(=<{:]|$)")
FEWEST_LINES = 2


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One function or class. Lines are 0-based, the last one excluded."""

    kind: str
    name: str
    scope: str
    start: int
    end: int
    documentation: str
    documented: tuple[int, int]
    """The lines of the documentation, to be left out of the code; an empty range without one."""

    def code(self, lines: list[str]) -> str:
        """The text of the definition without its documentation."""
        first, last = self.documented
        kept = [lines[at] for at in range(self.start, self.end) if not first <= at < last]
        return "\n".join(kept)


def definitions(root: Any, source: bytes, language: str) -> Iterator[Definition]:
    """All of a tree, outer ones before what they hold."""
    yield from _Walker(source, language).within(root, "", 0)


class _Walker:
    def __init__(self, source: bytes, language: str) -> None:
        self.source = source
        self.language = language

    def within(self, node: Any, scope: str, depth: int) -> Iterator[Definition]:
        if depth > DEEPEST:
            return
        for child in node.children:
            if not child.is_named:
                continue
            inner = self._unwrapped(child)
            kind = self._kind(inner)
            if kind:
                found = self._definition(child, inner, kind, scope)
                yield found
                if kind == "class":
                    yield from self._inside(inner, f"{scope}.{found.name}".strip("."), depth)
            elif inner.type in CONTAINERS:
                yield from self.within(inner, scope, depth + 1)

    def _inside(self, node: Any, scope: str, depth: int) -> Iterator[Definition]:
        for child in node.children:
            if child.type in CONTAINERS:
                yield from self.within(child, scope, depth + 2)

    def _unwrapped(self, node: Any) -> Any:
        while node.type in WRAPPERS:
            inner = node.child_by_field_name("declaration") or node.child_by_field_name(
                "definition"
            )
            inner = inner or next((c for c in reversed(node.children) if c.is_named), None)
            if inner is None:
                break
            node = inner
        return node

    def _kind(self, node: Any) -> str:
        lines = node.end_point[0] - node.start_point[0] + 1
        if node.type in FUNCTIONS:
            return "function"
        if node.type in CLASSES and lines > 1 and node.is_named:
            return "class"
        if node.type == "call" and self.language == "elixir":
            return CALLS.get(self._text(node.children[0]), "")
        if node.type in ASSIGNED and lines > FEWEST_LINES:
            head = self._text(node)[:300]
            return "function" if FUNCTION_VALUE.search(head.split("{", 1)[0]) else ""
        return ""

    def _definition(self, outer: Any, node: Any, kind: str, scope: str) -> Definition:
        start, end = outer.start_point[0], node.end_point[0] + 1
        words, documented, above = self._above(outer)
        if self.language == "python":
            words, documented = self._docstring(node)
        return Definition(
            kind=kind,
            name=self._name(node),
            scope=scope,
            start=min(start, above),
            end=end,
            documentation=words,
            documented=documented,
        )

    def _docstring(self, node: Any) -> tuple[str, tuple[int, int]]:
        body = node.child_by_field_name("body")
        first = next((c for c in body.children if c.is_named), None) if body else None
        if first is not None and first.type == "expression_statement":
            first = first.children[0]
        if first is None or first.type != "string":
            return "", (0, 0)
        return docstring(self._text(first)), (first.start_point[0], first.end_point[0] + 1)

    def _above(self, node: Any) -> tuple[str, tuple[int, int], int]:
        """The comments right above a node, their lines, and where what belongs to it begins."""
        top, previous, comments = node.start_point[0], node.prev_sibling, []
        rows: list[int] = []
        while previous is not None and top - _last_line(previous) <= 1:
            is_comment = "comment" in previous.type or self._is_attribute(previous)
            if not is_comment and previous.type not in BETWEEN:
                break
            if is_comment and _trails(previous):
                break
            if is_comment:
                comments.append(self._text(previous))
                rows += (previous.start_point[0], _last_line(previous) + 1)
            top = previous.start_point[0]
            previous = previous.prev_sibling
        if not comments:
            return "", (0, 0), top
        text = "\n".join(reversed(comments))
        words = docstring(text) if self.language == "elixir" else cleaned(text)
        return words, (min(rows), max(rows)), top

    def _is_attribute(self, node: Any) -> bool:
        """Elixir's documentation is an attribute: `@doc`."""
        return node.type == "unary_operator" and self._text(node)[:4] == "@doc"

    def _name(self, node: Any) -> str:
        named = node.child_by_field_name("name") or node.child_by_field_name("type")
        if node.type in FUNCTIONS and (inner := node.child_by_field_name("declarator")):
            while deeper := inner.child_by_field_name("declarator"):
                inner = deeper
            named = inner
        if named is not None and node.type not in ASSIGNED:
            return self._text(named)[:80]
        head = self._text(node)[:200].split("\n", 1)[0]
        found = NAME.search(
            re.sub(r"^(?:(?:const|let|var|def\w*|type|export|class|fun|interface)\s+)+", "", head)
        )
        return found.group() if found else ""

    def _text(self, node: Any) -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")


def _last_line(node: Any) -> int:
    """Some grammars end a comment at the beginning of the next line."""
    row, column = node.end_point
    return int(row) - (1 if column == 0 and row > node.start_point[0] else 0)


def _trails(comment: Any) -> bool:
    """Whether a comment stands behind code of its own line."""
    before = comment.prev_sibling
    return before is not None and bool(_last_line(before) == comment.start_point[0])


def docstring(literal: str) -> str:
    """What a string literal that documents says."""
    inner = re.sub(r'^(?:@\w+\s+)?(?:~S)?[rRbBuUfF]{0,2}("""|\'\'\'|"|\')', "", literal.strip())
    return said(re.sub(r'("""|\'\'\'|"|\')$', "", inner))
