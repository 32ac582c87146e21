"""Answers that a client takes whole: their longest texts are shortened, first a little, then more.

A write whose answer were too long would have happened all the same, and nobody would know.
"""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from pydantic_core import to_json

T = TypeVar("T")

FIT = 30_000
"""Characters of JSON."""
LENGTHS = (8_000, 2_000, 400, 80, 20)
"""Characters that a text is shortened to, where the answer is too long as it is."""
MOST = 50
"""Items that a list is shortened to in the end."""


def fitted(value: T) -> T:
    """A value object, or a list of rows, that fits; what was cut ends with an ellipsis."""
    if len(to_json(value).decode()) <= FIT:
        return value
    for length in LENGTHS:
        found: T = _shortened(value, length)
        if len(to_json(found).decode()) <= FIT:
            return found
    last: T = _shortened(value, LENGTHS[-1], most=MOST)
    return last


def _shortened(value: Any, length: int, most: int = 10**6) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length else f"{value[:length]}…"
    if isinstance(value, list | tuple):
        return [_shortened(one, length, most) for one in value[:most]]
    if isinstance(value, dict):
        return {name: _shortened(one, length, most) for name, one in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = vars(value).items()
        return dataclasses.replace(
            value, **{name: _shortened(one, length, most) for name, one in fields}
        )
    return value
