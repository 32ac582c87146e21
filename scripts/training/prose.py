"""Pairs from READMEs and manuals: a heading and its section, a sentence and the file it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from training.comments import MARKUP, telling

HEADING = re.compile(r"^(#{1,5}|={1,5})\s+(.+?)\s*#*$")
UNDERLINE = re.compile(r"^([=\-~^\"'*+#])\1{3,}\s*$")
DULL = re.compile(
    r"(?i)^(license|copyright|authors?|contribut\w+|change ?log|changes|installation"
    r"|install|credits|links|table of contents|contents|examples?|usage|see also|references?|notes?"
    r"|overview|introduction|features?|support|acknowledge?ments?|v?\d[\d.]*.*|.*released?.*)$"
)
FILE = re.compile(
    r"[\w./-]*\w+\.(?:py|[mc]?[jt]sx?|c|h|cc|cpp|hpp|go|java|kt|scala|swift|rs|rb|php|exs?|sh)\b"
)
SHORTEST, LONGEST = 120, 2_000
"""Characters of a section."""
LONGEST_SENTENCE = 300
VAGUE = 2
"""Words of a title that needs the one above it."""
UNEVEN = 3
"""Characters by which a title and the line under it may differ."""


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Heading (with the one above it) and body of each section that says something."""
    for titles, body in _cut(text):
        title = titles[-1]
        if DULL.match(title) or len(body) < SHORTEST:
            continue
        query = " ".join(titles[-2:]) if len(title.split()) <= VAGUE and len(titles) > 1 else title
        query = MARKUP.sub(lambda m: next((g for g in m.groups() if g), " "), query)
        if len(query.split()) >= VAGUE and query.isascii() and body.isascii():
            yield query[:120], body[:LONGEST]


def mentions(text: str, chunks: Mapping[str, list[str]]) -> Iterator[tuple[str, str, str]]:
    """A sentence without the file that it names, that file, and a chunk of it."""
    names: dict[str, str] = {}
    for path in chunks:
        name = path.rsplit("/", 1)[-1]
        names[name] = "" if name in names else path
    for line in text.split("\n"):
        for found in FILE.finditer(line):
            path = names.get(found.group().rsplit("/", 1)[-1], "")
            said = " ".join(
                MARKUP.sub(" ", line.replace(found.group(), " ")).strip("-*#| :`").split()
            )
            if path and chunks[path] and telling(said) and len(said) < LONGEST_SENTENCE:
                yield said, path, chunks[path][0]


def _cut(text: str) -> Iterator[tuple[list[str], str]]:
    lines = text.split("\n")
    titles: list[tuple[int, str]] = []
    body: list[str] = []
    marks: list[str] = []
    fenced = False
    for at, line in enumerate(lines):
        fenced ^= line.lstrip().startswith(("```", "~~~"))
        level, title = _heading(line, lines[at + 1] if at + 1 < len(lines) else "", marks)
        if not level or fenced:
            if not UNDERLINE.match(line):
                body.append(line)
            continue
        if titles:
            yield [name for _, name in titles], "\n".join(body).strip()
        titles = [one for one in titles if one[0] < level] + [(level, title)]
        body = []
    if titles:
        yield [name for _, name in titles], "\n".join(body).strip()


def _heading(line: str, following: str, marks: list[str]) -> tuple[int, str]:
    """Level and words of a heading, Markdown's, AsciiDoc's or reStructuredText's; level 0: none."""
    if found := HEADING.match(line):
        return len(found.group(1)), found.group(2)
    under = UNDERLINE.match(following)
    even = abs(len(line) - len(following)) <= UNEVEN
    if under and line.strip() and not UNDERLINE.match(line) and even:
        if under.group(1) not in marks:
            marks.append(under.group(1))
        return marks.index(under.group(1)) + 1, line.strip()
    return 0, ""
