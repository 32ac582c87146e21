"""Python code whose documentation is taken out, to be asked for what the documentation says.

A question is the first sentence of a function's docstring, its answer the lines of that function;
the docstring itself is not in the code that is searched (every one is blanked, so that lines keep
their numbers). The standard library comes with every Python and is not what the built-in model was
trained on.
"""

from __future__ import annotations

import ast
import random
import re
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.scoring import Lines

PACKAGES = (
    *("asyncio", "collections", "concurrent", "email", "html", "http", "importlib", "json"),
    *("logging", "multiprocessing", "unittest", "urllib", "wsgiref", "xml", "xmlrpc", "zoneinfo"),
)
"""Folders of the standard library."""

WORDS = (5, 25)
"""Words of a question."""

ROWS = 3
"""Lines of a function at least: what is shorter says too little to be asked for."""

SENTENCE = re.compile(r"(.+?[.?!])(?:\s|$)|(.+?)(?:\n\s*\n|$)", re.DOTALL)

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked, and the lines that answer (from 1, both inside)."""

    text: str
    path: str
    first: int
    last: int


def write(folder: Path, most: int) -> list[Question]:
    """Copy the packages without their docstrings; a fixed choice of `most` questions."""
    library = Path(sysconfig.get_path("stdlib"))
    questions: list[Question] = []
    for package in PACKAGES:
        for source in sorted((library / package).rglob("*.py")):
            path = source.relative_to(library)
            if "test" not in path.parts and "tests" not in path.parts:
                questions += _copied(source, folder, path)
    random.Random(0).shuffle(questions)  # noqa: S311 - the same choice every time
    return questions[:most]


def _copied(source: Path, folder: Path, path: Path) -> Iterator[Question]:
    text = source.read_text("utf-8", "replace")
    # As Python counts them: a form feed ends no line.
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, Documented | ast.Module) or not ast.get_docstring(node):
            continue
        _blank(node, lines)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _question(node, path)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(lines), "utf-8")


def _blank(node: Documented | ast.Module, lines: list[str]) -> None:
    docstring = node.body[0]
    first, last = docstring.lineno - 1, docstring.end_lineno or docstring.lineno
    indentation = lines[first][: docstring.col_offset]
    lines[first:last] = [""] * (last - first)
    if len(node.body) == 1:
        lines[first] = f"{indentation}pass"


def _question(node: ast.FunctionDef | ast.AsyncFunctionDef, path: Path) -> Iterator[Question]:
    said = SENTENCE.match(ast.get_docstring(node) or "")
    text = " ".join((said[1] or said[2]).split()) if said else ""
    last = node.end_lineno or node.lineno
    docstring = node.body[0]
    rows = last - node.lineno - ((docstring.end_lineno or 0) - docstring.lineno)
    if WORDS[0] <= len(text.split()) <= WORDS[1] and rows >= ROWS:
        yield Question(text=text, path=path.as_posix(), first=node.lineno, last=last)


def rank_of(question: Question, places: Sequence[Lines]) -> int:
    """The rank, from 1, of the first of these places that overlaps the answer; 0: none does."""
    for rank, (path, first, last) in enumerate(places, 1):
        if path == question.path and first <= question.last and last >= question.first:
            return rank
    return 0
