"""What a path says: the name of a file, and whether it stands beside the thing itself."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from undercroft.codebase.words import stem

ENTRIES = frozenset(("mod", "index", "init"))
"""Files that are called by their folder's name."""


def _within(words: str) -> str:
    """A pattern for any of these words, where separators make it a word of a path."""
    return rf"(?:^|(?<=[/_.-]))(?:{'|'.join(words.split())})(?=[/_.-]|$)"


ASIDE = re.compile(
    _within(
        "tests? testing specs? __tests__ testdata fixtures? mocks? __mocks__ e2e bench benchmarks? "
        "fuzz stories "
        "examples? samples? demos? docs? documentation tutorials? playground"
    )
    + r"|(?-i:(?<=[a-z0-9])Tests?)(?=/|\.\w+$)|(?<=\.)(?:md|mdx|rst|txt|adoc)$",
    re.IGNORECASE,
)
"""About the thing, not the thing: tests, examples, documentation."""

VARIANT = re.compile(
    _within(
        "compat legacy deprecated shims? polyfills? vendor third_party generated "
        "win windows win32 win64 wince msvc mingw cygwin uwp os390 zos aix sunos solaris haiku "
        "ibmi qnx freebsd openbsd netbsd plan9 wasm wasi emscripten tvos watchos"
    )
    + r"|(?<=\.)d\.ts$|(?<=\.)pb(?=\.)|_pb2(?=\.)",
    re.IGNORECASE,
)
"""The thing once more: for old callers, for a further system, or made by a machine."""

FULLY = {
    "doc": ("document", "documentation"),
    "md": ("markdown", "readme", "document", "documentation"),
    "spec": ("specification",),
    "bench": ("benchmark",),
    "compat": ("compatible", "compatibility"),
    "win": ("windows",),
}
"""How a query says words that paths shorten."""

NEAR = 3
"""Parts of a path, from its end, that tell what its file is about; those before are the project."""

VERSION = re.compile(r"(?:^|(?<=/))v(\d+)(?=/)")


class Standing(NamedTuple):
    """What a path says of its file."""

    name: str
    aside: str
    """The word that says so; empty if none does."""
    variant: str
    near: str
    """The end of the path, which tells what its file is about."""
    versions: tuple[tuple[str, int, str], ...]
    """Folders that are versions: what stands before each, its number, its name."""


@lru_cache(maxsize=1 << 15)
def standing(path: str) -> Standing:
    """What this path says."""
    folder, _, file = path.rpartition("/")
    name = file.split(".")[0] or file
    if name.lower() in ENTRIES and folder:
        name = folder.rpartition("/")[2]
    aside, variant = ASIDE.search(path), VARIANT.search(path)
    versions = ((path[: one.start()], int(one[1]), one[0]) for one in VERSION.finditer(path))
    return Standing(
        name=name,
        aside=aside[0].lower() if aside else "",
        variant=variant[0].lower() if variant else "",
        near="/".join(path.removesuffix(_ending(file)).split("/")[-NEAR:]),
        versions=tuple(versions),
    )


def _ending(file: str) -> str:
    name, dot, ending = file.rpartition(".")
    return dot + ending if name else ""


def wanted(word: str, spoken: frozenset[str]) -> bool:
    """Whether a query says such a word itself, in any of its forms."""
    stemmed = stem(word)
    return not spoken.isdisjoint((word, stemmed, *FULLY.get(stemmed, ())))


def outdated(paths: Iterable[str]) -> dict[str, str]:
    """Paths in a folder v1, v2 … beside which the others have a later one; and that folder."""
    found = [(path, *version) for path in paths for version in standing(path).versions]
    latest: dict[str, int] = {}
    for _, before, number, _ in found:
        latest[before] = max(latest.get(before, 0), number)
    return {path: name for path, before, number, name in found if number < latest[before]}
