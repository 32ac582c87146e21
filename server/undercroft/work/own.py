"""Lines of our own export, checked before any of them is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

Line = dict[str, Any]
Time = datetime | None
Id = Annotated[str, Field(pattern=r"^w-[0-9a-z]{4,40}$")]


class Kind(TypedDict):
    """A kind of the project's own."""

    name: str
    statuses: NotRequired[list[Any] | None]


class Item(TypedDict):
    """What the database asks of an item; longer texts than a tool takes are in order."""

    id: Id
    kind: str
    title: Annotated[str, Field(min_length=1, max_length=500)]
    status: str
    parent: NotRequired[str | None]
    priority: NotRequired[Annotated[int, Field(ge=0, le=4)] | None]
    labels: NotRequired[list[str]]
    acceptance: NotRequired[list[Any]]
    code_links: NotRequired[list[Any]]
    entities: NotRequired[list[UUID]]
    version: NotRequired[Annotated[int, Field(ge=1)]]
    due: NotRequired[Time]
    created_at: NotRequired[Time]
    updated_at: NotRequired[Time]
    closed_at: NotRequired[Time]
    archived_at: NotRequired[Time]
    deleted_at: NotRequired[Time]


class Link(TypedDict):
    """A link between two items."""

    source: str
    link: Literal["blocks", "relates", "duplicates", "discovered_from"]
    target: str
    created_at: NotRequired[Time]


class Comment(TypedDict):
    """A comment."""

    item: str
    body: Annotated[str, Field(min_length=1, max_length=50_000)]
    created_at: NotRequired[Time]


class Review(TypedDict):
    """A review, or one round of it."""

    item: str


class Dispute(TypedDict):
    """A dispute."""

    item: str
    id: UUID


SHAPES: Mapping[str, TypeAdapter[Any]] = {
    "kind": TypeAdapter(Kind),
    "item": TypeAdapter(Item),
    "link": TypeAdapter(Link),
    "comment": TypeAdapter(Comment),
    "review": TypeAdapter(Review),
    "round": TypeAdapter(Review),
    "dispute": TypeAdapter(Dispute),
}
PARTS = tuple(SHAPES)


def own(line: Mapping[str, Any]) -> Iterator[Line]:
    """The line, as it is.

    Raises:
        ValueError: It is not what an export writes.

    """
    if line.get("type") not in PARTS:
        raise ValueError(f"its type is none of {', '.join(PARTS)}")
    to_json(line)  # Refuses halves of characters.
    try:
        SHAPES[line["type"]].validate_python(dict(line), strict=False)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = ".".join(str(part)[:64] for part in first["loc"][:4])
        raise ValueError(f"{path}: {first['msg'][:200]}") from None
    yield dict(line)
