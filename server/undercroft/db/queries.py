"""Named SQL: the blocks of a `queries.sql` beside the code that uses them.

A block is `-- verb_noun --`, a sentence, and one statement that ends with `;`. Where a
function does the writing, which no statement shows, the head says so: `-- verb_noun writes --`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

_HEAD = re.compile(r"^-- ([a-z][a-z0-9_]*)( writes)? --$", re.MULTILINE)
_IGNORED = re.compile(
    r"--[^\n]*|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\bfor\s+(?:no\s+key\s+)?update\b", re.IGNORECASE
)
_WRITES = re.compile(
    r"\b(insert\s+into|update|delete\s+from|merge\s+into|create|alter|drop|"
    r"truncate|grant|revoke|comment)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Query:
    """One statement with its name; `writes` tells whether a lost answer leaves doubt."""

    name: str
    text: str = field(repr=False)
    writes: bool


@lru_cache(maxsize=512)
def make_query(name: str, text: str, *, writes: bool = False) -> Query:
    """A query from a statement of our own; `writes` where only the caller knows."""
    seen = bool(_WRITES.search(_IGNORED.sub(" ", text)))
    return Query(name=name, text=text, writes=writes or seen)


class Queries:
    """The named statements of one file, as attributes."""

    def __init__(self, source: str, origin: str) -> None:
        heads = list(_HEAD.finditer(source))
        ends = [head.start() for head in heads[1:]] + [len(source)]
        self._origin = origin
        self._by_name: dict[str, Query] = {}
        for head, end in zip(heads, ends, strict=True):
            if head[1] in self._by_name:
                raise ValueError(f"{origin} names {head[1]} twice")
            text = source[head.end() : end].strip().rstrip(";").rstrip()
            self._by_name[head[1]] = make_query(head[1], text, writes=bool(head[2]))
        # True attributes: what Python asks of `__getattr__` takes ten times as long.
        vars(self).update(self._by_name)

    def __getattr__(self, name: str) -> Query:
        raise AttributeError(f"{self._origin} has no block {name}")

    def __iter__(self) -> Iterator[Query]:
        return iter(self._by_name.values())


def load_queries(package: str, name: str = "queries.sql") -> Queries:
    """Read the named statements that stand beside a package's code."""
    return Queries(files(package).joinpath(name).read_text("utf-8"), f"{package}/{name}")


def quote_ident(name: str) -> str:
    """A SQL identifier, quoted (for names that no parameter can carry)."""
    if "\x00" in name:
        raise ValueError("an identifier cannot contain NUL")
    return '"' + name.replace('"', '""') + '"'


def quote_literal(text: str) -> str:
    """A SQL string constant, safe whatever `standard_conforming_strings` says."""
    if "\x00" in text:
        raise ValueError("a string constant cannot contain NUL")
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return f" E{quoted}" if "\\" in text else quoted
