"""Texts of others on a person's terminal, which obeys some characters instead of showing them."""

from __future__ import annotations

import re

_LINES = re.compile(r"[\t-\r\x85\u2028\u2029]+")
_COMMANDS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters; what turns the direction of writing (UAX 9); halves of surrogates."""


def plain(text: str) -> str:
    """One line that shows what it says: no escape sequence, no new line, no turned writing."""
    return _COMMANDS.sub("\ufffd", _LINES.sub(" ", text))
