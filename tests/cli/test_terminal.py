"""Texts of others cannot command a person's terminal."""

from __future__ import annotations

import unicodedata

import pytest

from undercroft.cli.terminal import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Mend „ßé漢字🙂 the roof", "Mend „ßé漢字🙂 the roof"),
        ("\x1b[31mred\x1b]0;owned\a", "\ufffd[31mred\ufffd]0;owned\ufffd"),
        ("one\r\n  two\u2028three\tfour", "one   two three four"),
        ("\u202egnorw\u2069 \x9b2J \ud800", "\ufffdgnorw\ufffd \ufffd2J \ufffd"),
    ],
)
def test_a_text_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_no_control_character_is_left() -> None:
    left = {chr(code) for code in range(0x11000)} & set(plain("".join(map(chr, range(0x11000)))))
    assert not {one for one in left if unicodedata.category(one) in {"Cc", "Cs"}}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not {one for one in left if unicodedata.bidirectional(one) in turning}
