"""Values that must be found nowhere, and the search for them in every form."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import numpy as np

LENGTH = 32
PIECE = 14
"""Characters of a value, and of the pieces of it that are looked for: a log may cut a text."""
WINDOW = 8
"""Bytes that are compared at once."""
BITS = 22
CHUNK = 1 << 23
OVERLAP = 512
_MARKS = "/+=&%$!"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789" + _MARKS
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def canary() -> str:
    """A value with characters that URLs write otherwise, so that it is no name either."""
    letters = [secrets.choice(_LETTERS) for _ in range(LENGTH)]
    letters[secrets.randbelow(PIECE)] = secrets.choice(_MARKS)
    return "".join(letters)


def forms(value: str) -> Iterator[bytes]:
    """What a value looks like: plain, in hexadecimal digits, in a URL, in base64 at any place."""
    raw = value.encode()
    # The last four characters may be seen, so no piece of the plain text is only they.
    yield from (raw[:PIECE], raw[PIECE : 2 * PIECE])
    yield from (raw.hex().encode(), raw.hex().upper().encode())
    for quoted in {quote(value, safe=""), quote(value, safe="/"), quote(value, safe="+=&/$!")}:
        if quoted != value:
            yield from (quoted.encode(), quoted.lower().encode())
    for before in range(3):
        yield from _base64(raw, before)


def _base64(raw: bytes, before: int) -> Iterator[bytes]:
    """The digits that do not depend on what stands before or behind."""
    first = -(-before * 8 // 6)
    digits = (before + len(raw)) * 8 // 6
    plain = base64.b64encode(b"\0" * before + raw)[first:digits]
    yield from {plain, plain.translate(bytes.maketrans(b"+/", b"-_"))}


@dataclass(kw_only=True)
class Search:
    """Looks for many values at once: one look-up per byte, whatever their number."""

    values: Mapping[str, str]
    """By what they are called."""
    _needles: dict[int, list[tuple[bytes, str]]] = field(init=False, repr=False)
    _table: np.ndarray = field(init=False, repr=False)
    _heads: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._needles = {}
        for name, value in self.values.items():
            for needle in forms(value):
                head = int.from_bytes(needle[:WINDOW], "little")
                self._needles.setdefault(head, []).append((needle, name))
        self._heads = np.array(sorted(self._needles), dtype=np.uint64)
        self._table = np.zeros(1 << BITS, dtype=bool)
        self._table[_slots(self._heads)] = True

    def find(self, data: bytes) -> set[str]:
        """What the values that occur in the data are called."""
        found: set[str] = set()
        for start in range(0, len(data), CHUNK):
            found |= self._in_chunk(data[start : start + CHUNK + OVERLAP])
        return found

    def _in_chunk(self, data: bytes) -> set[str]:
        found: set[str] = set()
        for shift in range(min(WINDOW, max(len(data) - WINDOW + 1, 0))):
            count = (len(data) - shift) // WINDOW
            windows = np.frombuffer(data, dtype="<u8", offset=shift, count=count)
            likely = np.flatnonzero(self._table[_slots(windows)])
            surely = likely[np.isin(windows[likely], self._heads)]
            for place in surely.tolist():
                at = shift + place * WINDOW
                found |= self._at(data, at, int(windows[place]))
        return found

    def _at(self, data: bytes, at: int, head: int) -> set[str]:
        return {name for needle, name in self._needles[head] if data.startswith(needle, at)}


def _slots(windows: np.ndarray) -> np.ndarray:
    return (windows * _SPREAD) >> np.uint64(64 - BITS)
