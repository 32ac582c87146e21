"""Arguments before a tool sees them: bounded, storable, strict."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from undercroft.errors import InvalidInput, LimitReached

if TYPE_CHECKING:
    from undercroft.mcp.toolset import Tool

MAX_DEPTH = 64
MAX_BYTES = 1_000_000
SHOWN = 64
"""Depth and size in JSON of one call's arguments; how many characters of a name are repeated."""

_SIMPLE = re.compile(r"[A-Za-z0-9_-]{0,64}", re.ASCII)
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_UNFIT_NUMBERS = (b"NaN", b"Infinity", b"0" * 300)
_STEP = {ord(bracket): 1 if bracket in "[{" else -1 for bracket in "[]{}"}
_NO_BRACKET = bytes(code for code in range(256) if code not in _STEP)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known one closest to a misspelt name."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:64], names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names[:30])}."


def refuse_unstorable(value: Any) -> None:
    """Refuse what JSON or PostgreSQL cannot carry.

    All of it is seen on the JSON text, by scans in C: walking a megabyte of values in Python
    would hold the event loop for a quarter of a second.

    Raises:
        InvalidInput: NUL, a lone surrogate, NaN, an infinity or a giant integer.
        LimitReached: Too large, or nested too deep.

    """
    text = _as_json(value)
    if len(text) > MAX_BYTES:
        raise LimitReached(
            f"The arguments have {len(text)} bytes; {MAX_BYTES} are allowed.",
            hint="Send less in one call.",
        )
    if b"\\u0000" in text and _NUL.search(text):
        raise InvalidInput("A text contains the NUL character, which PostgreSQL cannot store.")
    unfit = _has_unfit_number(text)
    if not unfit and text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    # It may all stand inside texts: look again without them.
    structure = _TEXT.sub(b"", text)
    if unfit and _has_unfit_number(structure):
        raise InvalidInput("A number is not finite or has too many digits.")
    brackets = structure.translate(None, delete=_NO_BRACKET)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise _too_deep()


def _plain(value: Any) -> bool:
    """Whether a value needs no closer look: an id, a name, a truth."""
    if type(value) is str:
        return _SIMPLE.fullmatch(value) is not None
    return value is True or value is False


def _has_unfit_number(text: bytes) -> bool:
    """By substrings, with every digit as a zero: a pattern takes 15 times as long."""
    digits = text.translate(_AS_ZERO)
    return any(unfit in digits for unfit in _UNFIT_NUMBERS)


def _as_json(value: Any) -> bytes:
    try:
        return to_json(value)
    except PydanticSerializationError as error:
        # One exception for two causes: a text that is no Unicode, or depth beyond its guard.
        if "UnicodeEncodeError" in str(error):
            raise InvalidInput("A text contains half of a surrogate pair.") from None
        raise _too_deep() from None


def _too_deep() -> LimitReached:
    return LimitReached(
        f"The arguments are nested deeper than {MAX_DEPTH}.", hint="Send less in one call."
    )


def check(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with their types; those that were not given are absent.

    Raises:
        InvalidInput: One is unknown, missing or of the wrong kind.

    """
    if not all(map(_plain, given.values())):
        refuse_unstorable(dict(given))
        given = {
            name: _unfold(tool, name, value) if isinstance(value, str) else value
            for name, value in given.items()
        }
    try:
        checked: dict[str, Any] = tool.validator.validator.validate_python(given)
    except ValidationError as error:
        raise _complaint(error, tool) from None
    return checked


def _unfold(tool: Tool, name: str, value: str) -> Any:
    """Some clients send objects and lists as JSON text; no parameter of ours takes both."""
    if not value.startswith(("{", "[")) or name not in tool.arguments:
        return value
    annotation = str(tool.arguments[name])
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


def _complaint(error: ValidationError, tool: Tool) -> InvalidInput:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    # A misspelt name explains the one that is missing.
    unknown = (one for one in found if one["type"] == "extra_forbidden" and len(one["loc"]) == 1)
    first = next(unknown, found[0])
    path = ".".join(str(part) for part in first["loc"][:6])
    if first["type"] == "extra_forbidden":
        return InvalidInput(
            f"There is no argument {_short(path)}.", hint=nearest(path, tool.arguments)
        )
    if first["type"] == "missing":
        return InvalidInput(f"The argument {_short(path)} is missing.")
    return InvalidInput(f"The argument {_short(path)} does not fit: {first['msg'][:200]}.")


def _short(name: str) -> str:
    return repr(name if len(name) <= SHOWN else name[:SHOWN] + "…")
