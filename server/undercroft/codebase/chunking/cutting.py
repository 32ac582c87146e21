"""Long ranges of lines cut into parts, at the best lines there are."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from undercroft.codebase.chunking.models import MAXIMUM, SMALL, TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOREIGN = 40
"""The cost of a cut at a line where no syntax begins."""
PARAGRAPH = 9
"""The cost of a cut after a blank line inside a long comment or text."""


class Lines:
    """A text as lines, with the characters before each of them."""

    __slots__ = ("before", "rows", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.rows = text.split("\n")
        self.before = [0, *accumulate(len(row) + 1 for row in self.rows)]

    def size(self, first: int, last: int) -> int:
        """Characters of the rows `first` to `last` (from 0, both inside)."""
        return self.before[last + 1] - self.before[first] - 1

    def joined(self, first: int, last: int) -> str:
        """The text of those rows."""
        return self.text[self.before[first] : self.before[last + 1] - 1]

    def trimmed(self, first: int, last: int) -> tuple[int, int] | None:
        """Without the blank rows at either end; None when all are blank."""
        rows = self.rows
        while first <= last and not rows[first].strip():
            first += 1
        while last >= first and not rows[last].strip():
            last -= 1
        return (first, last) if first <= last else None


class Part(NamedTuple):
    """Rows `first` to `last`, from 0; of a giant line, characters `start` to `end` of it."""

    first: int
    last: int
    start: int = 0
    end: int = 0


def cut(
    lines: Lines, first: int, last: int, depths: Mapping[int, int] | None = None
) -> Iterator[Part]:
    """Parts of at most `TARGET` characters, where lines allow it.

    `depths` gives the rows where a statement begins and how deep it lies; without it,
    indentation and blank rows tell.
    """
    while trimmed := lines.trimmed(first, last):
        first, last = trimmed
        if lines.size(first, last) <= TARGET:
            yield Part(first, last)
            return
        if lines.size(first, first) > TARGET:
            yield from _of_one_row(lines, first)
            first += 1
            continue
        following = _best(lines, first, last, depths)
        yield Part(first, following - 1)
        first = following


def _best(lines: Lines, first: int, last: int, depths: Mapping[int, int] | None) -> int:
    """The row where the next part begins: shallow, after a blank row, and not too near."""
    best, lowest = first + 1, float("inf")
    rows, before = lines.rows, lines.before
    begin, end = before[first] + 1, before[last + 1] - 1
    for row in range(first + 1, last + 1):
        size = before[row] - begin
        if size > TARGET:
            break
        cost = _cost(rows, row, depths) + 6 * (1 - size / TARGET)
        if size < SMALL or end - before[row] < SMALL:
            cost += 6
        if cost <= lowest:
            best, lowest = row, cost
    return best


def _cost(rows: list[str], row: int, depths: Mapping[int, int] | None) -> float:
    line = rows[row]
    bare = line.lstrip()
    if not bare:
        return FOREIGN * 2
    after_blank = not rows[row - 1].strip()
    if depths is not None:
        depth = depths.get(row)
        if depth is None:
            return PARAGRAPH if after_blank else FOREIGN
        return 2 * depth + (0 if after_blank else 1)
    wide = line.expandtabs(4) if "\t" in line else line
    indentation = min(len(wide) - len(bare), FOREIGN)
    closing = 4 if bare[0] in ")}]" else 0
    return indentation + closing + (0 if after_blank else 3)


def _of_one_row(lines: Lines, row: int) -> Iterator[Part]:
    """A row too long for a chunk in equal pieces; one that fits, whole."""
    length = len(lines.rows[row])
    if length <= MAXIMUM:
        yield Part(row, row)
        return
    for start in range(0, length, MAXIMUM):
        yield Part(row, row, start, min(start + MAXIMUM, length))
