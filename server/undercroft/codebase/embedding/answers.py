"""An endpoint's answer, believed only as far as it was checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from undercroft.codebase.embedding.faults import ModelFault, TextsRefused

REFUSALS = frozenset({400, 413, 422})
"""Statuses that blame what was sent."""

REASONS = {
    301: "it sends us elsewhere, where nobody has allowed our code to go",
    302: "it sends us elsewhere, where nobody has allowed our code to go",
    307: "it sends us elsewhere, where nobody has allowed our code to go",
    308: "it sends us elsewhere, where nobody has allowed our code to go",
    401: "it refuses the server's key",
    402: "its account has no credit left",
    403: "it refuses the server's key",
    404: "it does not know this model or path",
    408: "it timed out",
    429: "it has had too many requests",
}

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may succeed."""


def vectors(name: str, body: bytes, count: int) -> npt.NDArray[np.float64]:
    """One row for each of `count` texts, in their order.

    Raises:
        ModelFault: It is anything else.

    """
    try:
        data = from_json(body)["data"]
        rows = sorted(((_index(of), of["embedding"]) for of in data), key=lambda row: row[0])
        numbers = [_numbers(row) for _, row in rows]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _wrong(name, "what is no list of vectors") from None
    if [index for index, _ in rows] != list(range(count)):
        raise _wrong(name, f"other than one vector for each of {count} texts")
    if len({len(row) for row in numbers}) > 1 or not len(numbers[0]):
        raise _wrong(name, "vectors of different lengths")
    found = np.stack(numbers)
    if not np.isfinite(found).all():
        raise _wrong(name, "numbers that are none")
    return found


def _index(of: Mapping[str, Any]) -> int:
    index = of["index"]
    if type(index) is not int:
        raise TypeError
    return index


def _numbers(embedding: Any) -> npt.NDArray[np.float64]:
    """A list of numbers, or the base64 of little-endian float32."""
    if isinstance(embedding, str):
        try:
            data = base64.b64decode(embedding, validate=True)
        except binascii.Error:
            raise ValueError from None
        return np.frombuffer(data, "<f4").astype(np.float64)
    if not isinstance(embedding, list) or not all(type(one) in (int, float) for one in embedding):
        raise TypeError
    return np.array(embedding, dtype=np.float64)


def _wrong(name: str, what: str) -> ModelFault:
    return ModelFault(f"The embedding model {name} answered {what}.")


def fault_of(name: str, status: int, headers: Mapping[str, str]) -> ModelFault:
    """What an answer other than 200 means."""
    if status in REFUSALS:
        return TextsRefused(f"The embedding model {name} refuses what it is sent ({status}).")
    reason = REASONS.get(status, "it failed" if status >= 500 else "it refuses")  # noqa: PLR2004 - HTTP
    return ModelFault(
        f"The embedding model {name} does not work: {reason} ({status}).",
        passing=status in PASSING,
        pause=retry_after(headers.get("retry-after", "")),
    )


def retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header: a number, or a date."""
    text = value.strip()
    if text.replace(".", "", 1).isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
