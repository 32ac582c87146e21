"""Grammars, their queries, and parses that end."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.definitions import generic, tables

if TYPE_CHECKING:
    from tree_sitter import Language, Query, Tree

COMMENT = re.compile(r"(?:^|_)(?:comment|heredoc_comment|pod)$")
CONTENTS = [
    "string_content",
    "string_fragment",
    "quoted_content",
    "multiline_string_fragment",
    "heredoc_content",
    "interpreted_string_literal_content",
    "raw_string_literal_content",
    "raw_string_content",
    "line_str_text",
    "multi_line_str_text",
    "raw_str_part",
    "raw_str_end_part",
    "regex_pattern",
    "jsx_text",
    "string_literal_content",
    "template_chars_double",
    "encapsed_string_chars",
]
"""Nodes that are the letters of a text and no code."""
LITERALS = [
    "raw_string",
    "ansi_c_string",
    "char_literal",
    "character_literal",
    "rune_literal",
    "charlist",
    "heredoc_body",
]
WHOLE_STRINGS = [
    "string",
    "string_literal",
    "line_string_literal",
    "string_lit",
    "str_lit",
    "text",
]
STEPS_PER_BYTE = 0.03
STEPS = 400
"""Progress reports (each some 100 steps of the parser) that any parse may make: the same text
gives the same answer on a fast machine and on a slow one."""
SECONDS = 5.0
"""Wall time after which a parse is given up, whatever it reported."""


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """A grammar with its query: the kind of each pattern, by its number."""

    language: Language
    query: Query
    kinds: list[str]
    keywords: frozenset[bytes]


@cache
def grammar_of(language: str) -> Grammar | None:
    """The grammar with that name; None when the wheel has none."""
    from tree_sitter import Query, QueryError  # noqa: PLC0415  loaded with the first file
    from tree_sitter_language_pack import get_language  # noqa: PLC0415

    try:
        grammar = get_language(language)  # type: ignore[arg-type]
    except LookupError:
        return None
    masks = _masks(grammar)
    patterns = [*_definitions(language, grammar), *masks]
    try:
        query = Query(grammar, "\n".join(pattern for _, pattern in patterns))
    except QueryError:  # a pattern that this grammar does not know
        patterns = [line for line in patterns if _possible(grammar, line[1])]
        query = Query(grammar, "\n".join(pattern for _, pattern in patterns))
    return Grammar(
        language=grammar,
        query=query,
        kinds=[kind for kind, _ in patterns],
        keywords=_keywords(grammar),
    )


def parse_bounded(grammar: Grammar, data: bytes) -> Tree | None:
    """The tree, or None when the parser needs too many steps for a text of that size."""
    from tree_sitter import Parser  # noqa: PLC0415

    parser = Parser(grammar.language)
    left = STEPS + int(len(data) * STEPS_PER_BYTE)
    deadline = time.monotonic() + SECONDS
    views: dict[int, memoryview] = {}

    def stop(_offset: int, _error: bool) -> bool:
        nonlocal left
        left -= 1
        return left < 0 or (left % 64 == 0 and time.monotonic() > deadline)

    def read(offset: int, _point: object) -> memoryview:
        view = views.get(offset)
        if view is None:
            view = views[offset] = memoryview(data)[offset:]
        return view

    try:
        return parser.parse(read, progress_callback=stop)
    except ValueError:  # "Parsing failed": stopped
        return None
    finally:
        for view in views.values():  # the library keeps what it read: the text shall not stay
            view.release()


def _definitions(language: str, grammar: Language) -> list[tuple[str, str]]:
    """Patterns that this grammar knows, each marked `@unit`."""
    table = tables().get(language, [])
    if not table:
        table = [line for node in _nodes(grammar) if (line := generic(node))]
        table = [line for line in table if _possible(grammar, line[1])]
    return [(kind, _marked(kind, pattern)) for kind, pattern in table]


def _marked(kind: str, pattern: str) -> str:
    """The pattern with what it finds marked: the whole of it, where it does not say itself."""
    mark = "@before" if kind == "before" else "@unit"
    return pattern if mark in pattern else f"{pattern} {mark}"


def _masks(grammar: Language) -> list[tuple[str, str]]:
    nodes = _nodes(grammar)
    comments = [node for node in nodes if COMMENT.search(node)]
    contents = [node for node in CONTENTS if node in nodes]
    texts = [*contents, *(node for node in LITERALS if node in nodes)]
    if not contents:
        texts += [node for node in WHOLE_STRINGS if node in nodes]
    found = []
    if comments:
        found.append(("comment", f"[{' '.join(f'({node})' for node in comments)}] @comment"))
    if texts:
        found.append(("string", f"[{' '.join(f'({node})' for node in texts)}] @string"))
    found.append(("error", "(ERROR) @error"))
    return found


def _possible(grammar: Language, pattern: str) -> bool:
    from tree_sitter import Query, QueryError  # noqa: PLC0415

    try:
        Query(grammar, pattern)
    except QueryError:
        return False
    return True


def _nodes(grammar: Language) -> list[str]:
    """The names of visible nodes, sorted."""
    kinds = (
        grammar.node_kind_for_id(number)
        for number in range(grammar.node_kind_count)
        if grammar.node_kind_is_named(number) and grammar.node_kind_is_visible(number)
    )
    return sorted({kind for kind in kinds if kind and kind.isidentifier() and kind != "ERROR"})


def _keywords(grammar: Language) -> frozenset[bytes]:
    """The words of the language itself."""
    kinds = (
        grammar.node_kind_for_id(number)
        for number in range(grammar.node_kind_count)
        if not grammar.node_kind_is_named(number)
    )
    return frozenset(kind.encode() for kind in kinds if kind and kind.isidentifier()) - SOFT


SOFT = frozenset(
    b"get set of from type init data open value field file property param receiver delegate by out "
    b"inline async await require include define default test context source target name all any "
    b"some parse format print log error info debug start stop run exec call apply match select "
    b"insert update delete create add remove list map filter find index key version".split()
)
"""Words that some grammars know and that are names all the same."""
