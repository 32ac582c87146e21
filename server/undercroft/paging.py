"""Lists in pages: opaque cursors and a size budget, the same for every room."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, Generic, TypeVar

from pydantic_core import to_json

from undercroft.errors import InvalidInput, LimitReached

T = TypeVar("T")

PAGE_CHARACTERS = 36_000
"""Serialised size of a page's items; leaves room for the envelope under a result's 40,000."""


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page of a list."""

    items: Sequence[T]
    next_cursor: str | None = field(default=None)
    """Pass it back unchanged for the next page; None on the last one."""
    count: int | None = field(default=None)
    """Number of all matching items, only where it was asked for."""


def encode_cursor(position: Sequence[Any]) -> str:
    """An opaque, URL-safe text for a keyset position (JSON values)."""
    return base64.urlsafe_b64encode(to_json(list(position))).decode().rstrip("=")


def decode_cursor(cursor: str, length: int) -> list[Any]:
    """The position behind a cursor.

    Raises:
        InvalidInput: The text is not a cursor of a list with `length` sort keys.

    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded.encode(), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        position = None
    if not isinstance(position, list) or len(position) != length:
        raise InvalidInput(
            "The cursor does not belong to this list.",
            hint="Pass next_cursor back unchanged with the same filters and sort, or leave it out.",
        )
    return position


def page_of(
    rows: Iterable[T],
    *,
    limit: int,
    position: Callable[[T], Sequence[Any]],
    characters: int = PAGE_CHARACTERS,
) -> Page[T]:
    """Cut rows (fetched with `limit + 1`) to a page that fits `limit` and the size budget.

    `characters`: what the caller wants to read at most; one item comes in any case.


    Raises:
        LimitReached: The first item alone is larger than a page.

    """
    items: list[T] = []
    size = 0
    for row in rows:
        size += len(to_json(_told(row)).decode())
        if items and (len(items) == limit or size > min(characters, PAGE_CHARACTERS)):
            return Page(items=items, next_cursor=encode_cursor(position(items[-1])))
        if size > PAGE_CHARACTERS:
            raise LimitReached(
                "One item alone is larger than a result may be.",
                hint="Ask for fewer fields with `fields`.",
            )
        items.append(row)
    return Page(items=items)


def _told(row: Any) -> Any:
    """A value object without its absent fields, which a result leaves out; a record as it is."""
    if not is_dataclass(row):
        return row
    return {name: value for name, value in vars(row).items() if value is not None}
