"""The values that chunking gives, and the sizes that it aims at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

ChunkKind = Literal[
    "function", "class", "method", "module", "section", "config", "statement", "block"
]
Role = Literal["definition", "reference"]

SMALL = 300
"""Characters under which a chunk is joined with a neighbour."""
JOINED = 900
"""Characters up to which neighbours are joined."""
TARGET = 1_500
"""Characters that a part of something long has at most."""
WHOLE = 2_000
"""Characters up to which a definition stays in one chunk."""
MAXIMUM = 4_000
"""Characters that no chunk exceeds."""


class Chunk(NamedTuple):
    """Lines of a file that belong together.

    `start_line` and `end_line` count from 1 and are both inside; `text` is exactly those
    lines joined with a newline. Only a line longer than `MAXIMUM` is shared: its chunks
    have the same line number, and their texts joined are the line.
    """

    start_line: int
    end_line: int
    kind: ChunkKind
    symbol: str
    """The names defined here, divided by a space; for prose the heading, for config the keys."""
    scope: str
    """What encloses it, outermost first, divided by dots."""
    text: str


class Symbol(NamedTuple):
    """A name that a file defines or uses."""

    name: str
    kind: str
    """Of a definition: function, class, struct, constant …; of a reference: call or name."""
    role: Role
    line: int
    """The (first) line, from 1."""
    end_line: int
    """The last line of the definition; of a reference, the last line that names it."""
    scope: str
    lines: tuple[int, ...] = ()
    """Of a reference: the lines that name it, at most 64."""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A file's chunks, in order, and its symbols."""

    language: str
    chunks: list[Chunk]
    symbols: list[Symbol] = field(default_factory=list)
    fallback: str = ""
    """Why it was cut by lines: "no grammar", "too large", "timeout", "errors"; "" if it was not."""
