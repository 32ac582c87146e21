"""The comments at the head of a migration file that tell the migrator how to run it.

-- no transaction                      statement by statement, resumable
-- requires: registry/0003, 0002       applied before this one (a bare number: the same line)
-- environments: development, test     skipped everywhere else
-- data: batches                       each statement again and again until it touches no row
-- irreversible: reason                in a down file: there is no way back
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from undercroft.errors import InvalidInput

KEYS = ("no transaction", "requires", "environments", "data", "irreversible")
_UP_ONLY = frozenset({"requires", "environments", "data"})
_DOWN_ONLY = frozenset({"irreversible"})
_ENTRY = re.compile(r"--\s*(?P<key>[a-z][a-z _-]{1,30}?)\s*:\s*(?P<value>\S.*?)\s*$")
_BARE = re.compile(r"--\s*(?P<key>no[ _-]transactions?)\s*:?\s*$", re.IGNORECASE)
_REQUIREMENT = re.compile(r"(?:(?P<line>[a-z][a-z0-9_]*)/)?(?P<version>\d{4})$")


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A migration that must have been applied first."""

    line: str
    """Empty: the same line."""
    version: int


@dataclass(frozen=True, kw_only=True)
class Header:
    """How one file wants to be run."""

    transaction: bool = True
    requires: tuple[Requirement, ...] = ()
    environments: tuple[str, ...] = ()
    """Empty: everywhere."""
    batches: bool = False
    irreversible: str = ""
    """The reason, empty where there is a way back."""

    def runs_in(self, environment: str) -> bool:
        """Whether the migration belongs to this environment."""
        return not self.environments or environment in self.environments


def parse_header(sql: str, name: str, direction: str) -> Header:
    """Read the header of an "up" or "down" file called `name`.

    Raises:
        InvalidInput: An unknown key or a value that means nothing, with file and line.

    """
    entries: dict[str, str] = {}
    for line, key, value in _entries(sql):
        where = f"{name}:{line}"
        _check_key(key, where, direction)
        if key in entries:
            raise InvalidInput(f"{where}: the header `{key}` stands twice.")
        entries[key] = value
        _check_value(key, value, where)
    return Header(
        transaction="no transaction" not in entries,
        requires=tuple(_requirement(text) for text in _listed(entries.get("requires", ""))),
        environments=tuple(_listed(entries.get("environments", ""))),
        batches="data" in entries,
        irreversible=entries.get("irreversible", ""),
    )


def _entries(sql: str) -> Iterator[tuple[int, str, str]]:
    """Header lines: strict at the top; after the first line of prose only (near) keys."""
    prose = False
    for number, text in enumerate(sql.splitlines(), start=1):
        line = text.strip()
        if line and not line.startswith("--"):
            return
        match = _BARE.match(line) or _ENTRY.match(line)
        key = match["key"].lower().rstrip("s") if match and match.re is _BARE else ""
        key = key or (match["key"] if match else "")
        if match and (not prose or key in KEYS or _nearest(key)):
            yield number, key, match.groupdict().get("value") or ""
        prose = prose or (bool(line) and not match)


def _nearest(key: str) -> str:
    return next(iter(difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75)), "")


def _check_key(key: str, where: str, direction: str) -> None:
    if key not in KEYS:
        nearest = _nearest(key)
        meant = f"Did you mean `{nearest}`? " if nearest else "Begin prose with a plain sentence. "
        raise InvalidInput(
            f"{where}: unknown header `{key}`.", hint=f"{meant}Known: {', '.join(KEYS)}."
        )
    wrong = _UP_ONLY if direction == "down" else _DOWN_ONLY
    if key in wrong:
        other = "an up" if direction == "down" else "a down"
        raise InvalidInput(f"{where}: the header `{key}` belongs into {other} file.")


def _check_value(key: str, value: str, where: str) -> None:
    if key == "data" and value != "batches":
        raise InvalidInput(f"{where}: `data` knows only `batches`, not `{value}`.")
    if key == "requires":
        for text in _listed(value):
            if not _REQUIREMENT.match(text):
                raise InvalidInput(
                    f"{where}: `{text}` names no migration.",
                    hint="Write `registry/0003`, or `0003` for the same line.",
                )


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _requirement(text: str) -> Requirement:
    match = _REQUIREMENT.match(text)
    groups = match.groupdict() if match else {}
    return Requirement(line=groups["line"] or "", version=int(groups["version"] or 0))
