"""Answers that a client takes whole: their longest texts are shortened, first a little, then more.

A write whose answer were too long would have happened all the same, and nobody would know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic_core import to_json

T = TypeVar("T")

FIT = 30_000
"""Characters of JSON."""
LENGTHS = (8_000, 2_000, 400, 80, 20)
"""Characters that a text is shortened to, where the answer is too long as it is."""
MOST = (50, 10)
"""Items that a list is shortened to in the end."""
EVERY = 10**6
WHOLE = ("server_content", "client_content", "final_content", "resolved_content")
"""What agents must agree on, each of at most 10,000 characters: shortened where all else is."""


def fitted(value: T) -> T:
    """A value object, or a list of rows, that fits; what was cut ends with an ellipsis."""
    if len(to_json(value).decode()) <= FIT:
        return value
    last: T = value
    steps = [(length, EVERY) for length in LENGTHS] + [(LENGTHS[-1], most) for most in MOST]
    for spared in (WHOLE, ()):
        for length, most in steps:
            last = _shortened(value, length, most, spared)
            if len(to_json(last).decode()) <= FIT:
                return last
    return last


def _shortened(value: Any, length: int, most: int, spared: Sequence[str]) -> Any:
    if isinstance(value, str):
        return value if len(value) <= length else f"{value[:length]}…"
    if isinstance(value, list | tuple):
        return [_shortened(one, length, most, spared) for one in value[:most]]
    if isinstance(value, dict):
        return {
            name: one if name in spared else _shortened(one, length, most, spared)
            for name, one in value.items()
        }
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **_shortened(vars(value), length, most, spared))
    return value
