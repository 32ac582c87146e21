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
    if len(word) > LONGEST:
        return []
    if word.isascii() and word.isalpha() and (word.islower() or word.istitle()):
        return [word.lower()]
    return [part.lower() for part in PARTS.findall(word)]


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
        self._parts = _Parts(ids)

    def __missing__(self, word: bytes) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
        found = b"".join(map(self._parts.__getitem__, parts(word.decode())))
        self[word] = found
        return found

    def text(self, text: str) -> bytes:
        """The ids of all words of a text, in order."""
        return b"".join(map(self.__getitem__, words(text)))

    def pieces(self, part: str) -> list[str]:
        """An unknown word cut into known ones, longest first: `routergroup` → router, group."""
        return self._parts.pieces(part)


class _Parts(dict[str, bytes]):
    """Each part with its id, or those of its pieces: unknown ones come again in other words."""

    MOST = 1 << 16

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._known = {part: number.to_bytes(2, "little") for part, number in ids.items()}
        self._longest = max(map(len, ids), default=0)
        super().__init__(self._known)

    def __missing__(self, part: str) -> bytes:
        if len(self) >= self.MOST:
            self.clear()
            self.update(self._known)
        found = b"".join(map(self._known.__getitem__, self.pieces(part)))
        self[part] = found
        return found

    def pieces(self, part: str) -> list[str]:
        """See `Words.pieces`."""
        found: list[str] = []
        known = self._known
        at, size = 0, len(part)
        while size - at >= SHORTEST_PIECE:
            for end in range(min(size, at + self._longest), at + SHORTEST_PIECE - 1, -1):
                if part[at:end] in known:
                    found.append(part[at:end])
                    at = end
                    break
            else:
                break
        return found
