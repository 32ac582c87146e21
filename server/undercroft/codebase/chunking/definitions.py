"""Which nodes define something: by language in `definitions.txt`, else by the names of nodes.

The kinds of `UNITS` make chunks of their own; the others are symbols only.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

UNITS = {
    "function": "function",
    "macro": "function",
    "test": "function",
    "method": "method",
    "constructor": "method",
    "class": "class",
    "struct": "class",
    "union": "class",
    "enum": "class",
    "interface": "class",
    "trait": "class",
    "protocol": "class",
    "object": "class",
    "record": "class",
    "impl": "class",
    "extension": "class",
    "module": "module",
    "type": "statement",
    "constant": "statement",
    "variable": "statement",
    "declaration": "statement",
    "query": "statement",
}
"""Kinds of definitions that make chunks, and the kind of those chunks."""

CALLS = {
    "defmodule": "module",
    "defprotocol": "protocol",
    "defimpl": "impl",
    "def": "function",
    "defp": "function",
    "defguard": "function",
    "defguardp": "function",
    "defdelegate": "function",
    "defn": "function",
    "defn-": "function",
    "defnp": "function",
    "defmacro": "macro",
    "defmacrop": "macro",
    "test": "test",
    "describe": "test",
    "define_method": "method",
    "define_singleton_method": "method",
    "class": "class",
    "actor": "class",
    "struct": "struct",
    "enum": "enum",
    "extension": "extension",
    "defrecord": "record",
    "deftype": "class",
    "defmulti": "function",
    "defmethod": "method",
    "defun": "function",
    "cl-defun": "function",
    "defsubst": "function",
    "defgeneric": "function",
    "defclass": "class",
    "defstruct": "struct",
    "cl-defstruct": "struct",
    "defvar": "variable",
    "defcustom": "variable",
    "defconst": "constant",
    "defparameter": "variable",
    "define": "function",
    "define-syntax": "macro",
    "define-record-type": "record",
}
"""Words that define something where definitions are calls, and what they define."""
CALLS_BEFORE = frozenset(("doc", "spec", "impl", "deprecated", "dialyzer", "since", "tag"))
"""Words of calls that belong to the definition that follows them."""

GENERIC_NODE = re.compile(
    r"_(?:definition|declaration|item|statement|spec|specifier|decl|def|function|method|class"
    r"|module|block|rule|type)$"
    r"|^(?:function|method|class|module|interface|struct|enum|record|trait|procedure|sub|subroutine)"
)
"""Names of nodes that may define something, in grammars without a table."""
GENERIC_KINDS = (
    ("method", "method"),
    ("constructor", "constructor"),
    ("func", "function"),
    ("procedure", "function"),
    ("subroutine", "function"),
    ("subprogram", "function"),
    ("macro", "macro"),
    ("class", "class"),
    ("struct", "struct"),
    ("union", "union"),
    ("enum", "enum"),
    ("interface", "interface"),
    ("trait", "trait"),
    ("protocol", "protocol"),
    ("record", "record"),
    ("object", "object"),
    ("contract", "class"),
    ("message", "struct"),
    ("service", "interface"),
    ("impl", "impl"),
    ("extension", "extension"),
    ("module", "module"),
    ("namespace", "module"),
    ("package", "module"),
    ("type", "type"),
    ("const", "constant"),
    ("var", "variable"),
)
"""A word in a node's name, and the kind of definition that it tells."""


@cache
def tables() -> dict[str, list[tuple[str, str]]]:
    """The (kind, pattern) lines of each language that has some."""
    found: dict[str, list[tuple[str, str]]] = {}
    languages: list[str] = []
    for line in (files(__package__) / "definitions.txt").read_text("utf-8").splitlines():
        if line.startswith("## "):
            languages = line[3:].split()
        elif line and not line.startswith("#"):
            kind, _, pattern = line.partition(" ")
            for language in languages:
                found.setdefault(language, []).append((kind, pattern.strip()))
    return found


def generic(node: str) -> tuple[str, str] | None:
    """The (kind, pattern) line for a node type of a grammar without a table."""
    if not GENERIC_NODE.search(node):
        return None
    for word, kind in GENERIC_KINDS:
        if word in node:
            return kind, f"({node} name: (_) @name)"
    return None
