"""Arguments before a tool sees them: bounded, storable, strict."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from undercroft.errors import InvalidInput, LimitReached

MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_INTEGER = 10**300
SHOWN = 64
"""Deeper, larger or wider than any honest call; and how many characters of a name are repeated."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known one closest to a misspelt name."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:64], names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names[:30])}."


def refuse_unstorable(value: Any) -> None:
    """Refuse what JSON or PostgreSQL cannot carry, with a walk that needs no recursion.

    Raises:
        InvalidInput: NUL, a lone surrogate, NaN, an infinity or a giant integer.
        LimitReached: Nested too deep, or too many values.

    """
    stack: list[tuple[Any, int]] = [(value, 0)]
    seen = 0
    while stack:
        item, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_NODES:
            what = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else "too many values"
            raise LimitReached(f"The arguments are {what}.", hint="Send less in one call.")
        if isinstance(item, str):
            _refuse_text(item)
        elif isinstance(item, dict):
            stack.extend((part, depth + 1) for pair in item.items() for part in pair)
        elif isinstance(item, list):
            stack.extend((part, depth + 1) for part in item)
        elif isinstance(item, int | float):
            _refuse_number(item)


def _refuse_text(text: str) -> None:
    if text.isascii() and "\x00" not in text:
        return
    if "\x00" in text:
        raise InvalidInput("A text contains the NUL character, which PostgreSQL cannot store.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("A text contains half of a surrogate pair.") from None


def _refuse_number(number: float) -> None:
    if (isinstance(number, float) and not math.isfinite(number)) or abs(number) > MAX_INTEGER:
        raise InvalidInput("A number is not finite or has too many digits.")


def check(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types, defaults filled in.

    Raises:
        InvalidInput: One is unknown, missing or of the wrong kind.

    """
    refuse_unstorable(dict(given))
    unknown = [name for name in given if name not in model.model_fields]
    if unknown:
        raise InvalidInput(
            f"There is no argument {_short(unknown[0])}.",
            hint=nearest(unknown[0], model.model_fields),
        )
    unfolded = {name: _unfold(model, name, value) for name, value in given.items()}
    try:
        checked = model.model_validate(unfolded)
    except ValidationError as error:
        raise _complaint(error) from None
    return {name: getattr(checked, name) for name in model.model_fields}


def _unfold(model: type[BaseModel], name: str, value: Any) -> Any:
    """Some clients send objects and lists as JSON text; no parameter of ours takes both."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    annotation = str(model.model_fields[name].annotation)
    if "str" in annotation.split("[", maxsplit=1)[0] or not (
        "dict" in annotation or "list" in annotation
    ):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    refuse_unstorable(parsed)
    return parsed


def _complaint(error: ValidationError) -> InvalidInput:
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    path = ".".join(str(part) for part in first["loc"][:6])
    if first["type"] == "missing":
        return InvalidInput(f"The argument {_short(path)} is missing.")
    return InvalidInput(f"The argument {_short(path)} does not fit: {first['msg'][:200]}.")


def _short(name: str) -> str:
    return repr(name if len(name) <= SHOWN else name[:SHOWN] + "…")
