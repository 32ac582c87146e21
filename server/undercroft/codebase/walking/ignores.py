"""Ignore files as git reads them: the deepest file that says something about a path decides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from undercroft.codebase.walking.beneath import Left, read_at
from undercroft.codebase.walking.patterns import Pattern, parse

LARGEST = 256 * 1024
"""Bytes of an ignore file; a larger one is not read."""

MOST = 2_000
"""Patterns of one ignore file; further ones are not read."""


class _Run(NamedTuple):
    """Neighbouring patterns that say the same: ignore, or keep."""

    ignore: bool
    match: re.Pattern[str]


class Rules:
    """The patterns of one ignore file."""

    def __init__(self, text: str) -> None:
        lines = text.removeprefix("\ufeff").split("\n")
        found = [pattern for line in lines if (pattern := parse(line))][:MOST]
        self._folders = list(_runs(found))
        self._files = list(_runs([pattern for pattern in found if not pattern.folders_only]))

    def ignored(self, path: str, *, folder: bool) -> bool | None:
        """True: ignored; False: a `!` pattern keeps it; None: nothing is said about the path."""
        for run in self._folders if folder else self._files:
            if run.match.match(path):
                return run.ignore
        return None


def _runs(patterns: list[Pattern]) -> Iterator[_Run]:
    """The last pattern that matches decides, so the last run comes first."""
    for negated, run in groupby(reversed(patterns), key=attrgetter("negated")):
        alternatives = "|".join(pattern.expression for pattern in run)
        yield _Run(not negated, re.compile(alternatives, re.DOTALL))


class Standing(NamedTuple):
    """The ignore files that hold in a folder, the deepest first, with where their paths begin."""

    files: tuple[tuple[int, Rules], ...] = ()

    def ignored(self, path: str, *, folder: bool) -> bool | None:
        """As `Rules.ignored`, for a path relative to the walk's root."""
        for begin, rules in self.files:
            verdict = rules.ignored(path[begin:], folder=folder)
            if verdict is not None:
                return verdict
        return None

    def below(self, folder: int, path: str, name: str) -> Standing:
        """With the ignore file of that name in an open folder of that path, if it can be read."""
        try:
            data = read_at(folder, name, max_bytes=LARGEST)
        except Left:
            return self
        rules = Rules(data.decode("utf-8", "surrogateescape"))
        return Standing(((len(path) + 1 if path else 0, rules), *self.files))
