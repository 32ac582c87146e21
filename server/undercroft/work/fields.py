"""What an item's fields may hold, as a caller gives them; and what is kept of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import to_json
from typing_extensions import TypedDict

from undercroft.errors import InvalidInput

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
Label = Annotated[str, Field(min_length=1, max_length=100)]
Text = Annotated[str, Field(max_length=50_000)]
FIRST, LAST = datetime(1, 1, 3, tzinfo=UTC), datetime(9999, 12, 29, tzinfo=UTC)
"""Times that can be told in every time zone."""
_STRICT = ConfigDict(extra="forbid")

MOST = 100
"""Labels, criteria, places in code, records of one item."""


@with_config(_STRICT)
class Criterion(TypedDict, total=False):
    """What must be true in the end, and whether it is."""

    text: Annotated[str, Field(min_length=1, max_length=2_000)]
    met: bool


@with_config(_STRICT)
class Code(TypedDict, total=False):
    """A place in code."""

    repository: Annotated[str, Field(max_length=500)]
    path: Annotated[str, Field(min_length=1, max_length=2_000)]
    start_line: Annotated[int, Field(ge=1, le=10_000_000)]
    end_line: Annotated[int, Field(ge=1, le=10_000_000)]


Line = Annotated[str, Field(min_length=1, max_length=2_000)]


@with_config(_STRICT)
class Fields(TypedDict, total=False):
    """An item's fields; those that are absent stay as they are."""

    kind: Name
    title: Annotated[str, Field(min_length=1, max_length=500)]
    description: Text
    status: Name
    priority: Annotated[int, Field(ge=0, le=4)]
    labels: Annotated[list[Label], Field(max_length=MOST)]
    assignee: Annotated[str, Field(max_length=200)] | None
    due: Annotated[AwareDatetime, Field(ge=FIRST, le=LAST)] | None
    estimate: Annotated[float, Field(ge=0.001, le=5_256_000, allow_inf_nan=False)] | None
    acceptance: Annotated[list[Line | Criterion], Field(max_length=MOST)]
    code_links: Annotated[list[Line | Code], Field(max_length=MOST)]
    entities: Annotated[list[UUID], Field(max_length=MOST)]
    outcome: Text
    external_ref: Annotated[str, Field(min_length=1, max_length=200)]


FIELDS = TypeAdapter(Fields)
_PLACE = re.compile(r"(?P<path>.+?):(?P<start>\d{1,7})(?:-(?P<end>\d{1,7}))?")
_ID = re.compile(r"w-[0-9a-z]{4,40}")
HOLDER = 200
"""Characters of an agent's name."""


def checked(given: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """The fields in the form in which they are kept.

    Raises:
        InvalidInput: One is unknown, or holds what it may not; `where` says in which item.

    """
    try:
        found: dict[str, Any] = dict(FIELDS.validate_python(dict(given)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        path = ".".join(str(part)[:64] for part in first["loc"][:4])
        raise InvalidInput(
            f"{where}The field {path!r} does not fit: {first['msg'][:200]}.",
            hint=f"Fields: {', '.join(Fields.__annotations__)}.",
        ) from None
    if "acceptance" in found:
        found["acceptance"] = [_criterion(one) for one in found["acceptance"]]
    if "code_links" in found:
        found["code_links"] = [_code(one) for one in found["code_links"]]
    if found.get("assignee") == "":
        found["assignee"] = None
    if "labels" in found:
        found["labels"] = list(dict.fromkeys(found["labels"]))
    return found


def as_json(fields: Any) -> str:
    """Fields as SQL takes them."""
    return to_json(fields).decode()


def _criterion(one: str | Criterion) -> dict[str, Any]:
    if isinstance(one, str):
        return {"text": one, "met": False}
    if "text" not in one:
        raise InvalidInput('A criterion is a text or {"text": …, "met": false}.')
    return {"text": one["text"], "met": one.get("met", False)}


def _code(one: str | Code) -> dict[str, Any]:
    """A place, also as `path:10-20`."""
    if not isinstance(one, str):
        if "path" not in one:
            raise InvalidInput('A place in code is "path:10-20" or {"repository", "path", …}.')
        return dict(one)
    found = _PLACE.fullmatch(one)
    if found is None:
        return {"path": one}
    lines = {"start_line": int(found["start"]), "end_line": int(found["end"] or found["start"])}
    return {"path": found["path"], **lines}


def item_id(given: str) -> str:
    """The id of an item that is named as `w-…` or, with its kind, as `task:w-…`.

    Raises:
        InvalidInput: It is none.

    """
    known = given.rpartition(":")[2]
    if not _ID.fullmatch(known):
        raise InvalidInput(
            f"{given[:64]!r} is no id of a work item.",
            hint="Ids look like w-4k2m9x0a; get_plan, query_work and ready_work show them.",
        )
    return known


QUERIED = ("status", "kind", "labels", "assignee", "parent")
READY = ("kind", "labels", "assignee", "under")
CLAIMED = ("kind", "labels", "under")
_LISTS = ("status", "kind", "labels")
MOST_ITEMS = 200
"""Items of one answer."""


def filters(where: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Conditions with each of `names` present; a text stands for a list of one.

    Raises:
        InvalidInput: A name or a value is none.

    """
    found: dict[str, Any] = {}
    for name in names:
        value = where.get(name) or ([] if name in _LISTS else "")
        if name in _LISTS and isinstance(value, str):
            value = [value]
        texts = value if isinstance(value, list) else [value]
        if isinstance(value, list) != (name in _LISTS) or not all(
            isinstance(one, str) for one in texts
        ):
            raise InvalidInput(f"where.{name} is a text{' or a list' if name in _LISTS else ''}.")
        found[name] = optional_id(str(value)) if name in ("parent", "under") else value
    if unknown := [name for name in where if name not in names]:
        raise InvalidInput(
            f"There is no condition {unknown[0][:64]!r} here.", hint=f"where: {', '.join(names)}."
        )
    return found


def check_limit(limit: int) -> None:
    """Refuse a number of items that no answer has."""
    if not 1 <= limit <= MOST_ITEMS:
        raise InvalidInput(f"limit is 1 to {MOST_ITEMS}.")


def optional_id(given: str) -> str:
    """The same, where it may be empty."""
    return item_id(given) if given else ""


def ids_of(given: Sequence[str]) -> list[str]:
    """Ids without repetitions, in their order."""
    return list(dict.fromkeys(map(item_id, given)))


def holder_of(agent: str, actor: str) -> str:
    """Who claims: the agent's own name, or the client's."""
    if len(agent) > HOLDER:
        raise InvalidInput(f"An agent's name has at most {HOLDER} characters.")
    return agent or actor
