"""A veil over a stream of bytes: every form of a secret in it becomes the secret's name.

What is masked is defined for the whole text, so that it does not matter how the text was cut on
its way: all places where a needle stands are found, those that overlap are one, and each of these
is replaced by one mark. Hence no part of a needle that stood in the text is left, also where two
of them share letters.

A place begins with the first six bytes of a needle. numpy looks for these at every byte, by a hash
into a table; only where one may stand, Python compares (some 200 MB/s, whatever the number of
secrets).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from undercroft.running.needles import SHORTEST, needles

if TYPE_CHECKING:
    from numpy.typing import NDArray

EASE = 3
"""Bytes that may be the beginning of a secret and are shown when a terminal waits for more."""

_BITS = 18
"""Of the table's index: 256 kB, which the processor keeps near."""

_FACTOR = 0x9E3779B97F4A7C15
"""Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4)."""

_MASK = (1 << 8 * SHORTEST) - 1
_WORD = 8

_SMALL = 1024
"""Bytes; numpy would take longer to begin than Python to be done."""


class Needles:
    """What is looked for, made once for all streams of a child."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        named = needles(secrets)
        self.marks = {needle: _mark(name, named) for needle, name in named.items()}
        self._by_start: defaultdict[bytes, list[bytes]] = defaultdict(list)
        for needle in sorted(named, key=len, reverse=True):
            self._by_start[needle[:SHORTEST]].append(needle)
        self._beginnings = {start[:n] for start in self._by_start for n in range(1, SHORTEST)}
        self._table: NDArray[Any] | None = None

    def __bool__(self) -> bool:
        return bool(self.marks)

    def find(self, text: bytes) -> tuple[list[tuple[int, bytes]], int]:
        """The longest needle at each place, and where something begins that may become one.

        That is the length of the text if nothing does.
        """
        whole: list[tuple[int, bytes]] = []
        pending = self._pending(text)
        for place in self._places(text):
            for needle in self._by_start.get(text[place : place + SHORTEST], ()):
                if text.startswith(needle, place):
                    whole.append((place, needle))
                    break
                if len(needle) > len(text) - place and needle.startswith(text[place:]):
                    pending = min(pending, place)
        return whole, pending

    def _pending(self, text: bytes) -> int:
        """The first of the last bytes that are fewer than a needle's start and may begin one."""
        last = range(max(0, len(text) - SHORTEST + 1), len(text))
        return next((at for at in last if text[at:] in self._beginnings), len(text))

    def _places(self, text: bytes) -> list[int]:
        """Where a needle's start may stand, in order."""
        if len(text) <= _SMALL:
            last = len(text) - SHORTEST + 1
            return [at for at in range(last) if text[at : at + SHORTEST] in self._by_start]
        return self._hashed_places(text)

    def _hashed_places(self, text: bytes) -> list[int]:
        """Where the hash of six bytes is that of some needle's start."""
        import numpy as np  # noqa: PLC0415 - 70 ms, which a child that says little does not pay

        if self._table is None:
            self._table = np.zeros(1 << _BITS, bool)
            self._table[[_hash(start) for start in self._by_start]] = True
        padded = text + bytes(2 * _WORD)
        seen = []
        for shift in range(_WORD):
            count = (len(text) - shift + _WORD - 1) // _WORD
            words = np.frombuffer(padded, "<u8", max(count, 0), shift)
            # The two bytes beyond the six are shifted out before the product is taken.
            hashed = ((words << np.uint64(16)) * np.uint64(_FACTOR)) >> np.uint64(64 - _BITS)
            hits = np.flatnonzero(self._table[hashed])
            seen.append(hits * _WORD + shift)
        places = np.concatenate(seen)
        places.sort()
        found: list[int] = places.tolist()
        return found


def _hash(start: bytes) -> int:
    word = int.from_bytes(start[:SHORTEST], "little") & _MASK
    return (((word << 16) * _FACTOR) & (2**64 - 1)) >> (64 - _BITS)


def _mark(name: str, named: Iterable[bytes]) -> bytes:
    mark = f"***{name}***".encode()
    # A value may be a part of its own name.
    return b"***" if any(needle in mark for needle in named) else mark


class Veil:
    """One stream. Text that cannot be the beginning of a secret is given back at once."""

    def __init__(self, needles: Needles) -> None:
        self._needles = needles
        self._held = b""
        self._covered = 0
        """Bytes at the head of what is held that belong to a place whose mark is out."""
        self._shown = 0
        """Bytes at the head of what is held that are out."""

    @property
    def holds(self) -> bool:
        """Whether something is held that `ease` would show."""
        return max(self._covered, self._shown) < len(self._held) <= EASE

    def feed(self, data: bytes) -> bytes:
        """What can be shown after this piece."""
        text = self._held + data
        whole, pending = self._needles.find(text)
        return self._pass(text, whole, pending)

    def ease(self) -> bytes:
        """What is held, if it is so little that it gives nothing away.

        For a terminal at which somebody types or reads a prompt. If it does become a secret, the
        rest of it is masked.
        """
        if not self.holds:
            return b""
        start = max(self._covered, self._shown)
        self._shown = len(self._held)
        return self._held[start:]

    def close(self) -> bytes:
        """What is left at the end: the beginning of a secret that never came is none."""
        whole, _ = self._needles.find(self._held)
        return self._pass(self._held, whole, len(self._held))

    def _pass(self, text: bytes, whole: list[tuple[int, bytes]], until: int) -> bytes:
        """The text before `until`, where every place is known."""
        out: list[bytes] = []
        covered, done = self._covered, max(self._covered, self._shown)
        for place, needle in whole:
            if place >= until:
                break
            if place >= covered:
                out += (text[done:place], self._needles.marks[needle])
            covered = max(covered, place + len(needle))
            done = max(done, covered)
        out.append(text[done:until])
        self._held = text[until:]
        self._covered = max(0, covered - until)
        self._shown = max(0, self._shown - until)
        return b"".join(out)
