"""From what a tool returns to the JSON object that a client gets."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from undercroft.errors import LimitReached

MAX_CHARACTERS = 40_000
"""Of a result's JSON text; clients cut or refuse more (Claude Code: 25,000 tokens)."""


_WRITABLE = frozenset({str, int, float, bool, type(None), dict, datetime})
"""Types that `to_json` takes as they are, seen without a call."""


_is_value_object = lru_cache(maxsize=256)(dataclasses.is_dataclass)


def plain(value: Any) -> Any:
    """Objects, lists and scalars that `to_json` can write.

    A value object's absent fields are left out, a record's own nulls stay.
    """
    if isinstance(value, UUID):
        # The driver's own kind: `to_json` would ask twenty questions before it knows it.
        return str(value)
    if _is_value_object(value.__class__):
        return {
            name: item if type(item) in _WRITABLE else plain(item)
            for name, item in vars(value).items()
            if item is not None
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return value


def as_object(value: Any) -> dict[str, Any]:
    """A tool's result as an object that `to_json` can write."""
    body = plain(value)
    if isinstance(body, dict):
        return body
    return {} if body is None else {"result": body}


def refuse_oversize(text: str) -> None:
    """The last guard behind every list's own paging.

    Raises:
        LimitReached: The result is longer than a client takes.

    """
    if len(text) > MAX_CHARACTERS:
        raise LimitReached(
            f"The result has {len(text)} characters; {MAX_CHARACTERS} are allowed.",
            hint="Ask for fewer `fields` or a smaller `limit`.",
        )
