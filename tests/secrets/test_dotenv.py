"""A .env file is read as shells and dotenv read it, or refused by its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.errors import InvalidInput
from undercroft.secrets.dotenv import parse

FILE = r"""
# a comment
PLAIN=value
export EXPORTED=yes   # and why
  SPACED = a b  c
EMPTY=
HASH=a#b
SINGLE='as $it \n is # here'
DOUBLE="line\nand \"quotes\" \\ \$HOME"
PEM="-----BEGIN KEY-----
abc
-----END KEY-----"
TWICE=1
TWICE=2
URL=postgresql://u:p%40@h/db?x=1&y=2
LAST=end"""


def test_every_form_is_known() -> None:
    assert parse("\ufeff" + FILE.replace("\n", "\r\n")) == parse(FILE) == {
        "PLAIN": "value",
        "EXPORTED": "yes",
        "SPACED": "a b  c",
        "EMPTY": "",
        "HASH": "a#b",
        "SINGLE": r"as $it \n is # here",
        "DOUBLE": 'line\nand "quotes" \\ $HOME',
        "PEM": "-----BEGIN KEY-----\nabc\n-----END KEY-----",
        "TWICE": "2",
        "URL": "postgresql://u:p%40@h/db?x=1&y=2",
        "LAST": "end",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\ncanary\n", 2),
        ("A='canary", 1),
        ('A=1\n\n# x\nB="canary', 4),
        ("A='canary' more", 1),
        ("1A=canary", 1),
        ("A-B=canary", 1),
        ("=canary", 1),
    ],
)
def test_what_is_no_variable_is_refused_by_its_line_alone(text: str, line: int) -> None:
    with pytest.raises(InvalidInput, match=f"^Line {line} ") as raised:
        parse(text)
    assert "canary" not in str(raised.value.as_dict())


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
def test_what_is_quoted_comes_back(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'A="{quoted}"\nB=1') == {"A": value, "B": "1"}


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        values = parse(text)
    except InvalidInput:
        values = {}
    assert all(name.isidentifier() and isinstance(value, str) for name, value in values.items())
