from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.errors import InvalidInput, LimitReached
from undercroft.paging import PAGE_CHARACTERS, decode_cursor, encode_cursor, page_of

json_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)


@given(st.lists(json_values, min_size=1, max_size=5))
def test_a_cursor_keeps_its_position(position: list[object]) -> None:
    if any(
        isinstance(value, float) and value in (float("inf"), -float("inf")) for value in position
    ):
        return
    assert decode_cursor(encode_cursor(position), len(position)) == position


@given(st.text(max_size=50))
def test_any_other_text_is_refused(text: str) -> None:
    try:
        decode_cursor(text, 3)
    except InvalidInput:
        return
    assert len(decode_cursor(text, 3)) == 3


def test_a_page_ends_at_its_limit_and_says_where_to_go_on() -> None:
    page = page_of(range(11), limit=10, position=lambda n: [n])
    assert list(page.items) == list(range(10))
    assert decode_cursor(page.next_cursor or "", 1) == [9]


def test_the_last_page_has_no_cursor() -> None:
    assert page_of(range(10), limit=10, position=lambda n: [n]).next_cursor is None


def test_a_page_ends_before_it_grows_too_large() -> None:
    rows = ["x" * 10_000] * 10
    page = page_of(rows, limit=10, position=lambda row: [len(row)])
    assert sum(len(item) for item in page.items) <= PAGE_CHARACTERS
    assert len(page.items) == 3
    assert page.next_cursor


def test_an_item_larger_than_a_page_is_refused_with_advice() -> None:
    with pytest.raises(LimitReached) as raised:
        page_of(["x" * (PAGE_CHARACTERS + 1)], limit=10, position=lambda row: [len(row)])
    assert "fields" in raised.value.hint
