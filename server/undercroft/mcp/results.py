"""From what a tool returns to the JSON object that a client gets."""

from __future__ import annotations

import dataclasses
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from undercroft.errors import LimitReached

MAX_CHARACTERS = 40_000
"""Of a result's JSON text; clients cut or refuse more (Claude Code: 25,000 tokens)."""


def plain(value: Any) -> Any:
    """JSON values; a value object's absent fields are left out, a record's own nulls stay."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {name: plain(item) for name, item in pairs if item is not None}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str | int | float | bool | dict) or value is None:
        return value
    return to_jsonable_python(value)


def as_object(value: Any) -> dict[str, Any]:
    """A tool's result as a JSON object."""
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
