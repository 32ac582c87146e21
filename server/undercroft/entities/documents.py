"""JSON documents on their way into PostgreSQL: bounded, and free of what jsonb cannot hold."""

import math
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from undercroft.errors import InvalidInput, LimitReached

MAX_BYTES = 256 * 1024
"""Of one record's JSON text."""

MAX_DEPTH = 64
"""Levels of arrays and objects in one record."""

MAX_INTEGER = 10**300
"""Wider numbers fit jsonb but no client's number type."""

_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_UNFIT_NUMBERS = (b"NaN", b"Infinity", b"0" * 300)
"""In a text whose digits are all zeros; a pattern takes 15 times as long to find them."""


def encode(document: Any, what: str = "data") -> str:
    """The document as JSON text.

    Raises:
        LimitReached: It is larger or deeper than a record may be.
        InvalidInput: It holds something that is no JSON, or that PostgreSQL cannot store.

    """
    try:
        body = to_json(document, inf_nan_mode="constants")
    except (PydanticSerializationError, ValueError, RecursionError):
        refuse_unstorable(document, what)
        raise InvalidInput(f"{what} holds a value that is not JSON.") from None
    if len(body) > MAX_BYTES:
        raise LimitReached(
            f"{what} has {len(body)} bytes; a record may have {MAX_BYTES}.",
            hint="Split it over several records, or keep the bulk in a file.",
        )
    digits = body.translate(_AS_ZERO)
    unfit = any(number in digits for number in _UNFIT_NUMBERS)
    if unfit or rb"\u0000" in body or levels(body) > MAX_DEPTH:
        refuse_unstorable(document, what)
    return body.decode()


def levels(body: bytes) -> int:
    """An upper bound of the nesting of a JSON text, without reading it closely."""
    return body.count(b"{") + body.count(b"[")


def values_in(text: str) -> int:
    """An upper bound of the number of values and names in a JSON text."""
    return text.count(",") + text.count(":") + text.count("[") + text.count("{") + 1


def refuse_unstorable(document: Any, what: str = "data") -> None:
    """Walk a document closely, without recursion.

    Raises:
        InvalidInput: NUL, a lone surrogate, NaN, an infinity, a giant integer, a name not a text.
        LimitReached: Nested deeper than `MAX_DEPTH`.

    """
    stack: list[tuple[Any, int]] = [(document, 1)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, dict | list | tuple):
            if depth > MAX_DEPTH:
                raise LimitReached(f"{what} is nested deeper than {MAX_DEPTH} levels.")
            if isinstance(item, dict):
                _refuse_names(item, what)
            parts = item.values() if isinstance(item, dict) else item
            stack.extend((part, depth + 1) for part in parts)
        else:
            _refuse_scalar(item, what)


def _refuse_names(item: dict[Any, Any], what: str) -> None:
    for name in item:
        if not isinstance(name, str):
            raise InvalidInput(f"{what} has a name that is not a text.")
        _refuse_scalar(name, what)


def _refuse_scalar(item: Any, what: str) -> None:
    if isinstance(item, str):
        if "\x00" in item:
            raise InvalidInput(f"{what} holds the NUL character, which PostgreSQL cannot store.")
        if not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
            raise InvalidInput(f"{what} holds half of a surrogate pair.")
    elif isinstance(item, float) and not math.isfinite(item):
        raise InvalidInput(f"{what} holds NaN or an infinity, which JSON does not have.")
    elif isinstance(item, int) and abs(item) > MAX_INTEGER:
        raise InvalidInput(f"{what} holds a number with more than 300 digits.")


def short(value: Any, limit: int = 60) -> str:
    """A value for a message: its JSON, cut at `limit` characters."""
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
    text = to_json(value[: limit + 1] if isinstance(value, str) else value).decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


def refuse_deep_schema(schema: Any, levels_allowed: int = 80) -> None:
    """A schema's own nesting, before anything walks it by recursion.

    Raises:
        LimitReached: It is nested too deep.
        InvalidInput: It holds something that is no JSON.

    """
    stack: list[tuple[Any, int]] = [(schema, 1)]
    while stack:
        item, depth = stack.pop()
        if depth > levels_allowed:
            raise LimitReached(f"schema is nested deeper than {levels_allowed} levels.")
        if isinstance(item, dict):
            _refuse_names(item, "schema")
            stack.extend((part, depth + 1) for part in item.values())
        elif isinstance(item, list | tuple):
            stack.extend((part, depth + 1) for part in item)
        else:
            _refuse_scalar(item, "schema")
