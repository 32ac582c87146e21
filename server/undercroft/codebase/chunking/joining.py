"""Pieces of a file, in order, become its chunks: small neighbours are joined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercroft.codebase.chunking.models import (
    JOINED,
    MAXIMUM,
    SMALL,
    TARGET,
    WHOLE,
    Chunk,
    ChunkKind,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from undercroft.codebase.chunking.cutting import Lines

TINY = 100
"""Characters under which a piece is joined even with a large or a foreign neighbour."""
CLOSERS = re.compile(r"[\s})\];,]*(?:\bend\b[\s;.)]*)*")
SYMBOL = 200
"""Characters of names that a chunk carries."""


@dataclass(slots=True)
class Piece:
    """Rows `first` to `last`, from 0, of one thing; of a giant row, characters `start` to `end`."""

    first: int
    last: int
    kind: ChunkKind
    symbol: str = ""
    scope: str = ""
    start: int = 0
    end: int = 0
    leads: bool = False
    """Whether it belongs to what follows: the head of a class, a comment above its definitions."""


def join(lines: Lines, pieces: Iterable[Piece]) -> list[Chunk]:
    """The chunks: each non-blank row once, in order."""
    joined: list[Piece] = []
    for piece in pieces:
        trimmed = lines.trimmed(piece.first, piece.last)
        if trimmed is None:
            continue
        if not piece.end:
            piece.first, piece.last = trimmed
        if joined and _together(lines, joined[-1], piece):
            _merge(joined[-1], piece)
        else:
            joined.append(piece)
    return [_chunk(lines, piece) for piece in joined]


def _together(lines: Lines, left: Piece, right: Piece) -> bool:
    if left.end or right.end:
        return False
    total = lines.size(left.first, right.last)
    if total > MAXIMUM:
        return False
    one, other = lines.size(left.first, left.last), lines.size(right.first, right.last)
    if other < TINY and CLOSERS.fullmatch(lines.joined(right.first, right.last)):
        return True
    return _fit(left, right, one, other)


def _fit(left: Piece, right: Piece, one: int, other: int) -> bool:
    """Whether two pieces of `one` and `other` characters are better together."""
    small, total = min(one, other), one + other
    if left.leads and not right.leads:
        return (one < TINY and total <= WHOLE) or (small < SMALL and total <= TARGET)
    if right.leads and not left.leads and other < SMALL:
        return False
    near = left.scope == right.scope or right.scope == _inside(left)
    return (small < TINY and total <= WHOLE) or (near and small < SMALL and total <= JOINED)


def _inside(piece: Piece) -> str:
    """The scope of what lies in this piece's thing."""
    return f"{piece.scope}.{piece.symbol}" if piece.scope and piece.symbol else piece.symbol


def _merge(left: Piece, right: Piece) -> None:
    left.last = right.last
    left.leads = right.leads
    names = left.symbol.split()
    if right.symbol and right.symbol not in names and len(left.symbol) < SYMBOL:
        if not names or left.kind in {"module", "block"}:
            left.kind = right.kind
        left.symbol = f"{left.symbol} {right.symbol}".strip()
    if left.scope != right.scope and not left.scope.startswith(right.scope + "."):
        left.scope = right.scope if not names else _common(left.scope, right.scope)


def _common(one: str, other: str) -> str:
    shared = []
    for left, right in zip(one.split("."), other.split("."), strict=False):
        if left != right:
            break
        shared.append(left)
    return ".".join(shared)


def _chunk(lines: Lines, piece: Piece) -> Chunk:
    if piece.end:
        text = lines.rows[piece.first][piece.start : piece.end]
    else:
        text = lines.joined(piece.first, piece.last)
    return Chunk(
        piece.first + 1,
        piece.last + 1,
        piece.kind,
        piece.symbol[:SYMBOL],
        piece.scope[:SYMBOL],
        text,
    )
