"""Prose: markdown and reStructuredText by headings, text by paragraphs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from undercroft.codebase.chunking.cutting import Lines, cut
from undercroft.codebase.chunking.joining import Piece, join
from undercroft.codebase.chunking.models import Chunk

if TYPE_CHECKING:
    from collections.abc import Iterator

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*\r?$")
SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\r?$")
ORG = re.compile(r"(\*{1,8})[ \t]+(.*)$")
ADOC = re.compile(r"(={1,6})[ \t]+(.*)$")
RST_LINE = re.compile(r"([=\-`:.'\"~^_*+#<>])\1{2,}[ \t]*\r?$")
TITLE = 80
"""Characters of a heading that are kept."""


class Heading(NamedTuple):
    """A heading, its row from 0 and its level from 1."""

    row: int
    level: int
    title: str


def prose(language: str, lines: Lines) -> list[Chunk]:
    """Sections under their headings; long ones cut at paragraphs."""
    headings = {"markdown": _markdown, "rst": _rst, "org": _org, "text": _adoc}[language](
        lines.rows
    )
    return join(lines, _sections(lines, list(headings)))


def _sections(lines: Lines, headings: list[Heading]) -> Iterator[Piece]:
    path: list[Heading] = []
    begins = [Heading(0, 0, ""), *headings]
    for heading, following in zip(begins, [*begins[1:], None], strict=True):
        last = following.row - 1 if following else len(lines.rows) - 1
        while path and path[-1].level >= heading.level:
            path.pop()
        scope = ".".join(outer.title for outer in path)
        if heading.level:
            path.append(heading)
        trimmed = lines.trimmed(heading.row, last)
        bare = heading.level > 0 and trimmed is not None and trimmed[1] <= heading.row + 1
        for part in cut(lines, heading.row, last):
            yield Piece(
                part.first, part.last, "section", heading.title, scope, part.start, part.end, bare
            )


def _title(text: str) -> str:
    """A heading as one word of a chunk's symbol: spaces stay, dots go."""
    return " ".join(text.replace(".", " ").split())[:TITLE]


def _markdown(rows: list[str]) -> Iterator[Heading]:
    fence = ""
    for number, row in enumerate(rows):
        if found := FENCE.match(row):
            mark = found.group(1)
            if not fence:
                fence = mark
            elif mark.startswith(fence) and not row.strip().strip(mark[0]):
                fence = ""
        elif fence:
            continue
        elif found := ATX.match(row):
            yield Heading(number, len(found.group(1)), _title(found.group(2)))
        elif number and (found := SETEXT.match(row)) and _is_text(rows[number - 1]):
            yield Heading(number - 1, 1 if "=" in row else 2, _title(rows[number - 1]))


def _is_text(row: str) -> bool:
    bare = row.strip()
    return bool(bare) and bare[0] not in "#>-*+|`=<" and not row.startswith(("    ", "\t"))


def _rst(rows: list[str]) -> Iterator[Heading]:
    levels: list[str] = []
    for number in range(1, len(rows)):
        line = RST_LINE.match(rows[number])
        title = rows[number - 1].strip()
        if not line or not title or rows[number - 1][0].isspace() or RST_LINE.match(title):
            continue
        if len(rows[number].strip()) < min(len(title), 3):
            continue
        over = number > 1 and rows[number - 2].strip() == rows[number].strip()
        style = line.group(1) * (2 if over else 1)
        if style not in levels:
            levels.append(style)
        yield Heading(number - 2 if over else number - 1, levels.index(style) + 1, _title(title))


def _org(rows: list[str]) -> Iterator[Heading]:
    for number, row in enumerate(rows):
        if found := ORG.match(row):
            yield Heading(number, len(found.group(1)), _title(found.group(2)))


def _adoc(rows: list[str]) -> Iterator[Heading]:
    for number, row in enumerate(rows):
        if found := ADOC.match(row):
            yield Heading(number, len(found.group(1)), _title(found.group(2)))
