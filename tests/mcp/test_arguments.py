from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.errors import InvalidInput, LimitReached, UndercroftError
from undercroft.mcp.arguments import MAX_BYTES, MAX_DEPTH, refuse_unstorable

texts = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["\\u0000", "\\\\u0000", '"', "\\", "NaN", "Infinity", "[" * 100, "}" * 100, "9" * 400]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
)


def storable(value: Any) -> bool:
    """What the scans over JSON text are to find, by a plain walk over the values."""
    if isinstance(value, str):
        return "\x00" not in value
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(storable(part) for pair in value.items() for part in pair)
    return all(storable(item) for item in value) if isinstance(value, list) else True


@given(st.dictionaries(texts, values, max_size=4))
def test_the_scan_agrees_with_a_walk_over_the_values(arguments: dict[str, Any]) -> None:
    try:
        refuse_unstorable(arguments)
    except UndercroftError:
        assert not storable(arguments)
    else:
        assert storable(arguments)


@pytest.mark.parametrize("number", [10**300, -(10**400), float("nan"), float("inf")])
def test_numbers_that_nothing_can_carry_are_refused(number: float) -> None:
    with pytest.raises(InvalidInput):
        refuse_unstorable({"n": [number]})


def test_a_lone_surrogate_is_refused_in_a_value_and_in_a_name() -> None:
    for arguments in ({"a": "\ud800"}, {"\udfff": 1}):
        with pytest.raises(InvalidInput):
            refuse_unstorable(arguments)


def test_the_deepest_allowed_passes_and_one_more_does_not() -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    refuse_unstorable({"a": deep})
    with pytest.raises(LimitReached):
        refuse_unstorable({"a": [deep]})


def test_nesting_beyond_any_recursion_limit_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(LimitReached):
        refuse_unstorable({"a": deep})


def test_a_call_larger_than_allowed_is_refused() -> None:
    with pytest.raises(LimitReached):
        refuse_unstorable({"a": "x" * MAX_BYTES})


@pytest.mark.parametrize(
    "hostile",
    ['"' * 400_000, "\\" * 400_000, "\\u0000" * 60_000, "[" * 900_000, "NaN" * 300_000],
)
def test_no_text_makes_the_scan_slow(hostile: str) -> None:
    begun = time.process_time()
    refuse_unstorable({"a": hostile})
    assert time.process_time() - begun < 0.05 * len(json.dumps(hostile)) / 250_000
