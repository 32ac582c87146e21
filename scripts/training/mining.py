"""Pairs of words and code from one package: what somebody wrote about a piece, and the piece."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from training.comments import LEGAL, cleaned, telling
from training.definitions import Definition, definitions, docstring
from training.languages import SUFFIXES
from training.prose import mentions, sections

LONGEST_CODE = 2_000
"""Characters of a chunk that are kept, about what the index cuts."""
FEWEST_CODE = 40
FEWEST_LINES = 3
"""Of a definition whose documentation may be asked for."""
FEWEST_WORDS = 5
"""Of a comment inside a function."""
LONG_FUNCTION = 6
"""Lines of a function that has parts."""
HEAD_GAP = 300
"""Characters of code before a comment that no longer speaks of the file."""
TELLING_CODE = 150
"""Shorter chunks say too little about their file."""
WINDOW = 40
"""Lines of a chunk where a file defines nothing."""
INNER = re.compile(r"^\s*(?://+|#|--)\s+(.*\S)\s*$")
HEADS = {"python": re.compile(r'\A(?:\s|#.*\n)*[rRuU]?("""|\'\'\')([\s\S]*?)\1')}
COMMENT_LINE = re.compile(r"^\s*(?://|#(?!include|define|if|pragma|!\[)|--|/\*|\*|%)")
AFTER_HEAD = re.compile(
    r"\s*(?:$|import\b|package\b|use\b|#\s*(?:include|define|pragma|if)|require|from\b"
    r"|'use|\"use|namespace|module|export|const .*require)"
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One example: `query` was written about `code`."""

    kind: str
    language: str
    path: str
    query: str
    code: str


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A piece of a file as the search would store it."""

    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Mined:
    """What one package gave."""

    pairs: list[Pair]
    chunks: list[Chunk]


LIMITS = {
    "function": 5_000,
    "class": 2_500,
    "module": 2_500,
    "inner": 2_500,
    "section": 1_500,
    "mention": 400,
}
"""Most pairs of one kind from one package, so that no package decides."""


def mine(files: Iterable[tuple[str, str]], *, chunks: bool, seed: str) -> Mined:
    """Pairs of all files; the chunks too where the package is held out."""
    found: list[Pair] = []
    kept: list[Chunk] = []
    by_path: dict[str, list[str]] = {}
    prose: list[tuple[str, str]] = []
    for path, text in files:
        language = SUFFIXES[path[path.rindex(".") :].lower()]
        if language == "prose":
            prose.append((path, text))
            continue
        if text.count("\n") * 300 < len(text) or (
            LEGAL.search(text[:300]) and "generated" in text[:300].lower()
        ):
            continue
        pairs, pieces = mine_file(path, text, language)
        found += pairs
        by_path[path] = pieces
        if chunks:
            kept += [Chunk(path=path, text=piece) for piece in pieces]
    for path, text in prose:
        found += [
            Pair(kind="section", language="prose", path=path, query=q, code=c)
            for q, c in sections(text)
        ]
        found += [
            Pair(
                kind="mention",
                language=SUFFIXES["." + of.rsplit(".", 1)[1].lower()],
                path=of,
                query=q,
                code=c,
            )
            for q, of, c in mentions(text, by_path)
        ]
    return Mined(pairs=_limited(found, seed), chunks=kept)


def mine_file(path: str, text: str, language: str) -> tuple[list[Pair], list[str]]:
    """The pairs of one file of code and its chunks."""
    source = text.encode()
    tree = _parser(language).parse(source)
    lines = text.split("\n")
    found = list(definitions(tree.root_node, source, language))
    chooser = random.Random(path)  # noqa: S311 - the same pairs each time

    def pair(kind: str, query: str, code: str) -> Pair:
        return Pair(kind=kind, language=language, path=path, query=query, code=code[:LONGEST_CODE])

    pairs = []
    for one in found:
        code = document(one, one.code(lines))
        if one.documentation and len(code) > FEWEST_CODE and one.end - one.start >= FEWEST_LINES:
            pairs.append(pair(one.kind, one.documentation, code))
        if one.kind == "function":
            pairs += [pair("inner", query, rest) for query, rest in inner(one, lines, chooser)]
    head, rest = module_words(text, language)
    pieces = list(_pieces(found, rest.split("\n") if head else lines))
    if head and pieces:
        longer = [piece for piece in pieces if len(piece) > TELLING_CODE] or pieces
        chosen = chooser.sample(longer, min(3, len(longer)))
        pairs += [pair("module", head, piece) for piece in chosen]
    return pairs, [piece[:LONGEST_CODE] for piece in pieces]


def document(one: Definition, code: str) -> str:
    """A definition as the index hands it to the model."""
    return f"{one.scope} {one.name}\n{code}"


def inner(one: Definition, lines: list[str], chooser: random.Random) -> Iterator[tuple[str, str]]:
    """A comment inside a function, and the function without it."""
    runs: list[tuple[int, int, str]] = []
    at = one.start + 1
    while at < one.end:
        last, words = at, []
        while last < one.end and (match := INNER.match(lines[last])):
            words.append(match.group(1))
            last += 1
        said = " ".join(words)
        if words and telling(said) and len(said.split()) >= FEWEST_WORDS:
            runs.append((at, last, said[:300]))
        at = max(last, at + 1)
    if not runs or one.end - one.start < LONG_FUNCTION:
        return
    first, last, said = chooser.choice(runs)
    documented = range(*one.documented)
    kept = [
        lines[at]
        for at in range(one.start, one.end)
        if not first <= at < last and at not in documented
    ]
    around = max(0, first - one.start - 25)
    code = "\n".join(kept[around : around + 50])
    if len(code) > FEWEST_CODE * 2:
        yield said, document(one, code)


def module_words(text: str, language: str) -> tuple[str, str]:
    """What the head of a file says about all of it, and the file with blank lines instead."""
    if pattern := HEADS.get(language):
        match = pattern.match(text)
        return (docstring(match.group(2)), _blanked(text, match.span())) if match else ("", text)
    position = 0
    for start, end in _comment_blocks(text):
        if start - position > HEAD_GAP:
            break
        position = end
        following = text[end:].lstrip("\n").split("\n", 1)[0]
        free = text[end : end + 2].count("\n") == len("\n\n") or AFTER_HEAD.match(following)
        if (words := cleaned(text[start:end])) and free:
            return words, _blanked(text, (start, end))
    return "", text


def _comment_blocks(text: str) -> Iterator[tuple[int, int]]:
    """The comments among the first lines, each as one range of characters."""
    at, start, inside, head = 0, None, False, text[:6_000]
    for line in head.splitlines(keepends=True):
        comment = inside or bool(COMMENT_LINE.match(line))
        if comment and start is None:
            start = at
        if not comment and start is not None:
            yield start, at - 1
            start = None
        if "/*" in line:
            inside = True
        if "*/" in line:
            inside = False
            if start is not None:
                yield start, at + len(line.rstrip("\n"))
                start = None
        at += len(line)


def _blanked(text: str, span: tuple[int, int]) -> str:
    return text[: span[0]] + "\n" * text.count("\n", *span) + text[span[1] :]


def _pieces(found: list[Definition], lines: list[str]) -> Iterator[str]:
    """The file as chunks: each function, each class without its methods, the rest by windows."""
    inside = [d for d in found if d.kind == "function"]
    covered = bytearray(len(lines) + 1)
    for one in inside:
        text = document(one, "\n".join(lines[one.start : one.end]))
        covered[one.start : one.end] = b"\1" * (one.end - one.start)
        if len(text) > FEWEST_CODE:
            yield text
    for one in (d for d in found if d.kind == "class"):
        own = [lines[at] for at in range(one.start, min(one.end, len(lines))) if not covered[at]]
        covered[one.start : one.end] = b"\1" * (one.end - one.start)
        text = document(one, "\n".join(own))
        if len(text) > FEWEST_CODE:
            yield text
    rest = [line for at, line in enumerate(lines) if not covered[at] and line.strip()]
    for at in range(0, len(rest), WINDOW):
        text = "\n".join(rest[at : at + WINDOW])
        if len(text) > FEWEST_CODE:
            yield text


def _limited(pairs: list[Pair], seed: str) -> list[Pair]:
    """No query twice in a package and kind, and of each kind no more than its share."""
    chooser = random.Random(seed)  # noqa: S311 - the same pairs each time
    kept: list[Pair] = []
    for kind, limit in LIMITS.items():
        seen: dict[tuple[str, str], Pair] = {}
        times: dict[str, int] = {}
        for one in pairs:
            if one.kind == kind:
                times[one.query] = times.get(one.query, 0) + 1
                if times[one.query] <= (3 if kind == "module" else 1):
                    seen[one.query, one.code] = one
        own = list(seen.values())
        chooser.shuffle(own)
        kept += own[:limit]
    return kept


def as_record(value: Pair | Chunk) -> dict[str, Any]:
    """For one line of JSON."""
    return asdict(value)


@cache
def _parser(language: str) -> Any:
    from tree_sitter_language_pack import get_parser  # noqa: PLC0415 - only where it is mined

    return get_parser(language)  # type: ignore[arg-type]
