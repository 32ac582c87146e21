"""Names in a query or an index → SQL expressions over `workflow.entities`.

The one place where a name of the user's enters SQL text. It must, because an expression
index serves only the very expression it was made of; a name is bounded, and quoted here.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from undercroft.db.queries import quote_literal
from undercroft.errors import InvalidInput

COLUMNS: Mapping[str, str] = {
    "id": "uuid",
    "version": "integer",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "deleted_at": "timestamptz",
    "created_by": "text",
    "updated_by": "text",
}
"""What every record has, with its SQL type; a field of the same name is `data.<name>`."""

MAX_SEGMENTS = 8
MAX_NAME = 200
MAX_INDEXED = 500
"""Characters of an indexed text: an entry of a btree has room for 2,704 bytes."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of every record."""

    name: str
    kind: str
    """SQL type."""

    @property
    def sort_key(self) -> str:
        """Never NULL, so that rows compare as wholes."""
        return "coalesce(deleted_at, 'infinity')" if self.name == "deleted_at" else self.name


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of the data."""

    path: tuple[str, ...]
    instant: bool
    """A date-time, which compares as a moment and not as a text."""

    @property
    def value(self) -> str:
        """The field as jsonb; NULL where it is missing."""
        return "data" + "".join(f" -> {quote_literal(name)}::text" for name in self.path)

    @property
    def text(self) -> str:
        """The field as text; NULL where it is missing or null."""
        parent = Field(path=self.path[:-1], instant=False).value
        return f"{parent} ->> {quote_literal(self.path[-1])}::text"

    @property
    def kind(self) -> str:
        """SQL type of the sort key."""
        return "timestamptz" if self.instant else "jsonb"

    @property
    def sort_key(self) -> str:
        """What is compared, sorted and indexed; a missing field is the lowest, and never NULL."""
        if self.instant:
            return f"coalesce(workflow.instant({self.text}), '-infinity'::timestamptz)"
        return f"coalesce({self.value}, 'null'::jsonb)"

    def within(self, value: Any) -> dict[str, Any]:
        """The smallest document with that value at this place."""
        for name in reversed(self.path):
            value = {name: value}
        return dict(value)


def resolve(name: str, definition: Mapping[str, Any]) -> Column | Field:
    """What a name in a query stands for.

    Raises:
        InvalidInput: The type declares no such field, and the name does not begin with `data.`.

    """
    if name in COLUMNS:
        return Column(name=name, kind=COLUMNS[name])
    properties = _properties(definition)
    free = name.startswith("data.") and name not in properties
    plain = name.removeprefix("data.") if free else name
    path = (plain,) if plain in properties else tuple(plain.split("."))
    if len(path) > MAX_SEGMENTS or not all(0 < len(part) <= MAX_NAME for part in path):
        raise InvalidInput(f"{name[:60]!r} is not the name of a field.")
    if any("\x00" in part or not _encodable(part) for part in path):
        raise InvalidInput("The name of a field holds a character that PostgreSQL cannot store.")
    if not free and path[0] not in properties:
        raise InvalidInput(
            f"The type declares no field {path[0][:60]!r}.", hint=_nearest(path[0], properties)
        )
    declared = _declared(path, definition)
    return Field(path=path, instant=declared.get("format") == "date-time")


def _encodable(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def _nearest(name: str, properties: Mapping[str, Any]) -> str:
    known = [*properties, *COLUMNS]
    close = difflib.get_close_matches(name[:64], known, n=1, cutoff=0.5)
    proposal = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known[:30])}."
    return f"{proposal} A field that is not declared is written data.{name[:60]}."


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties", {})
    return found if isinstance(found, dict) else {}


def _declared(path: Sequence[str], definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """The subschema of a path, as far as `properties` and `$ref` alone lead to it."""
    here: Any = definition
    for name in path:
        here = _properties(here).get(name, {})
        for _ in range(MAX_SEGMENTS):
            if not isinstance(here, dict):
                return {}
            if "$ref" not in here:
                break
            here = _follow(here["$ref"], definition)
    return here if isinstance(here, dict) else {}


def _follow(reference: str, definition: Mapping[str, Any]) -> Any:
    here: Any = definition
    for part in reference.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        here = here.get(name, {}) if isinstance(here, dict) else {}
    return here


def indexed(definition: Mapping[str, Any]) -> list[tuple[Field, ...]]:
    """The fields of each index that a type asks for by `x-indexed`.

    Raises:
        InvalidInput: It names what is not declared, or what may be too long for an index.

    """
    wanted = definition.get("x-indexed", [])
    if not isinstance(wanted, list) or len(wanted) > 16:  # noqa: PLR2004 - each slows every write
        raise InvalidInput("x-indexed must be a list of at most 16 fields or lists of fields.")
    return [_one_index(item, definition) for item in wanted]


def _one_index(item: Any, definition: Mapping[str, Any]) -> tuple[Field, ...]:
    names = item if isinstance(item, list) else [item]
    if not 1 <= len(names) <= 4 or not all(isinstance(name, str) for name in names):  # noqa: PLR2004
        raise InvalidInput("An entry of x-indexed is a field's name, or a list of one to four.")
    found = tuple(_indexable(name, definition) for name in names)
    if sum(_width(field, definition) for field in found) > MAX_INDEXED:
        raise InvalidInput(
            f"The fields {', '.join(names)[:100]} together may be too long for an index.",
            hint=f"Give texts a maxLength; together at most {MAX_INDEXED}.",
        )
    return found


def _indexable(name: str, definition: Mapping[str, Any]) -> Field:
    field = resolve(name, definition)
    if isinstance(field, Column):
        raise InvalidInput(f"x-indexed names {name}, which is no field of the data.")
    return field


def _width(field: Field, definition: Mapping[str, Any]) -> int:
    """Characters of the field's longest value, as far as the schema bounds it."""
    schema = _declared(field.path, definition)
    if field.instant:
        return 8
    values = schema.get("enum") or ([schema["const"]] if "const" in schema else None)
    if values:
        return max(len(str(value)) for value in values)
    kinds = schema.get("type", "any")
    kinds = set(kinds) if isinstance(kinds, list) else {kinds}
    if kinds <= {"number", "integer", "boolean", "null"}:
        return 16
    if kinds <= {"string", "number", "integer", "boolean", "null"}:
        return int(schema.get("maxLength", MAX_INDEXED + 1))
    return MAX_INDEXED + 1


def searched(definition: Mapping[str, Any]) -> list[Field]:
    """The fields that `x-text` names; none: every text of the data.

    Raises:
        InvalidInput: It names what is not declared.

    """
    wanted = definition.get("x-text", [])
    if not isinstance(wanted, list) or len(wanted) > 16:  # noqa: PLR2004 - as for x-indexed
        raise InvalidInput("x-text must be a list of at most 16 fields.")
    if not all(isinstance(name, str) for name in wanted):
        raise InvalidInput("x-text must be a list of field names.")
    return [_indexable(name, definition) for name in wanted]


def words(definition: Mapping[str, Any]) -> str:
    """What a search for words looks at, as SQL."""
    if chosen := searched(definition):
        texts = " || ' ' || ".join(f"coalesce({field.text}, '')" for field in chosen)
        return f"to_tsvector('simple', {texts})"
    return "jsonb_to_tsvector('simple', data, '[\"string\"]')"
