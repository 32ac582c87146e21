"""What the model reads of a text: the lower-cased parts of its identifiers and words."""

import re
from collections.abc import Mapping

SPACED = bytes(
    byte if byte > ord("\x7f") or chr(byte).isalnum() or byte == ord("_") else ord(" ")
    for byte in range(256)
)
"""Blanks for all that no word has. Cutting bytes at blanks is five times as fast as a pattern."""
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")
LONGEST = 60
"""Characters of a word that may still be written by a person; longer ones are encoded data."""
SHORTEST_PIECE = 3
"""Letters of the shortest known word that an unknown one is cut into."""


def parts(word: str) -> list[str]:
    """`parseHTTPBody_v2` → parse, http, body, v, 2."""
    return [part.lower() for part in PARTS.findall(word)] if len(word) <= LONGEST else []


def words(text: str) -> list[bytes]:
    """The identifiers and words of a text in UTF-8, in order."""
    return text.encode("utf-8", "replace").translate(SPACED).split()


class Words(dict[bytes, bytes]):
    """Each word that was met with the ids of its parts, as packed little-endian uint16.

    A dictionary that fills itself: a text becomes numbers by one `map` that stays in C.
    """

    MOST = 1 << 16
    """Words that are kept; then it starts over, so that no text can fill the memory."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        super().__init__()
        self.ids = ids

    def __missing__(self, word: bytes) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        found = b"".join(self._packed(part) for part in parts(word.decode()))
        self[word] = found
        return found

    def text(self, text: str) -> bytes:
        """The ids of all words of a text, in order."""
        return b"".join(map(self.__getitem__, words(text)))

    def _packed(self, part: str) -> bytes:
        known = self.ids.get(part)
        if known is not None:
            return known.to_bytes(2, "little")
        return b"".join(self.ids[piece].to_bytes(2, "little") for piece in self.pieces(part))

    def pieces(self, part: str) -> list[str]:
        """An unknown word cut into known ones, longest first: `routergroup` → router, group."""
        found: list[str] = []
        at = 0
        while len(part) - at >= SHORTEST_PIECE:
            ends = range(len(part), at + SHORTEST_PIECE - 1, -1)
            end = next((end for end in ends if part[at:end] in self.ids), 0)
            if end:
                found.append(part[at:end])
            at = end or len(part)
        return found
