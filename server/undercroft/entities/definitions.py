"""A type's JSON Schema before it is let in: bounded, self-contained, and a map of its subschemas.

Nothing here evaluates the schema. What it finds decides whether validation is cheap
enough for the event loop (`cost.py`), and where the query language finds its fields.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from undercroft.errors import InvalidInput, LimitReached

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 32
"""Levels of subschemas; JSON levels may be `MAX_JSON_DEPTH`."""
MAX_JSON_DEPTH = 2 * MAX_SCHEMA_DEPTH + 2
MAX_SUBSCHEMAS = 1_000
MAX_PATTERNS = 32
MAX_PATTERN = 512

FORMATS = frozenset(
    {
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname"),
        *("idn-hostname", "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid"),
        *("uri-template", "json-pointer", "relative-json-pointer"),
    }
)
"""Every format is asserted. `regex` is missing: compiling the data's expressions has no bound."""

HERE, BELOW, NAMED = "here", "below", "named"
"""Where a subschema looks: at the same value, at any part of it, at the part of one name."""

_ONE = {
    **dict.fromkeys(("not", "if", "then", "else"), HERE),
    **dict.fromkeys(
        (
            *("items", "contains", "additionalProperties", "propertyNames"),
            *("unevaluatedItems", "unevaluatedProperties"),
        ),
        BELOW,
    ),
}
_LIST = {"allOf": HERE, "anyOf": HERE, "oneOf": HERE, "prefixItems": BELOW}
_MAP = {
    "properties": NAMED,
    "patternProperties": BELOW,
    "dependentSchemas": HERE,
    "$defs": "",
    "definitions": "",
}
_REFUSED = {
    "$dynamicRef": "Use $ref.",
    "$dynamicAnchor": "Use $defs and $ref.",
    "$recursiveRef": "Use $ref.",
    "$anchor": "Refer to it by its JSON pointer, for example #/$defs/name.",
    "$vocabulary": "Leave it out.",
}
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


@dataclass(kw_only=True)
class Subschema:
    """One schema inside a definition."""

    weight: int
    """Steps to look at one value with it, its subschemas left aside."""
    states: int
    """Steps for each byte of a text, by its pattern or format."""
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    """(where it looks, name of the part if NAMED, JSON pointer of the subschema)."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What a definition consists of."""

    subschemas: Mapping[str, Subschema]
    """By JSON pointer; "" is the root."""


def outline(definition: Any) -> Outline:
    """Check a definition's bounds and map its subschemas.

    Raises:
        InvalidInput: It refers outside itself, uses what we do not support, or is of no object.
        LimitReached: It is too large, too deep, or has too many parts.

    """
    if not isinstance(definition, dict):
        raise InvalidInput("schema must be a JSON Schema object.")
    size = len(to_json(definition))
    if size > MAX_SCHEMA_BYTES:
        raise LimitReached(f"schema has {size} bytes; {MAX_SCHEMA_BYTES} are allowed.")
    _refuse_foreign(definition)
    found: dict[str, Subschema] = {}
    references: list[tuple[str, str]] = []
    patterns = 0
    for pointer, depth, schema in _walk(definition):
        if depth > MAX_SCHEMA_DEPTH or len(found) >= MAX_SUBSCHEMAS:
            raise LimitReached(
                f"schema has more than {MAX_SCHEMA_DEPTH} levels or {MAX_SUBSCHEMAS} subschemas."
            )
        found[pointer] = _subschema(pointer, schema)
        if isinstance(schema, dict):
            patterns += len(list(_patterns(schema, pointer)))
            if "$ref" in schema:
                references.append((pointer, _target(schema["$ref"], pointer)))
    if patterns > MAX_PATTERNS:
        raise LimitReached(f"schema has {patterns} patterns; {MAX_PATTERNS} are allowed.")
    for pointer, target in references:
        if target not in found:
            raise InvalidInput(
                f"$ref at {pointer or '/'} points to no subschema.",
                hint="Refer to a schema under $defs, for example #/$defs/name.",
            )
        found[pointer].edges.append((HERE, "", target))
    return Outline(subschemas=found)


def _refuse_foreign(definition: dict[str, Any]) -> None:
    dialect = definition.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        raise InvalidInput("schema must be JSON Schema 2020-12.", hint=f"$schema: {DIALECT}")
    kind = definition.get("type", "object")
    if kind != "object" and not (isinstance(kind, list) and "object" in kind):
        raise InvalidInput("A record is a JSON object.", hint='Set "type": "object".')


def _walk(definition: dict[str, Any]) -> Iterator[tuple[str, int, Any]]:
    """Every subschema with its JSON pointer and depth; needs no recursion."""
    stack: list[tuple[str, int, Any]] = [("", 1, definition)]
    while stack:
        pointer, depth, schema = stack.pop()
        yield pointer, depth, schema
        if isinstance(schema, dict):
            stack.extend((at, depth + 1, part) for _, _, at, part in _parts(schema, pointer))


def _parts(schema: dict[str, Any], pointer: str) -> Iterator[tuple[str, str, str, Any]]:
    for keyword, value in schema.items():
        at = f"{pointer}/{_escape(keyword)}"
        if keyword in _ONE and isinstance(value, dict | bool):
            yield _ONE[keyword], "", at, value
        elif keyword in _LIST and isinstance(value, list):
            for place, part in enumerate(value):
                yield _LIST[keyword], "", f"{at}/{place}", part
        elif keyword in _MAP and isinstance(value, dict):
            for name, part in value.items():
                yield _MAP[keyword], name, f"{at}/{_escape(name)}", part


def _subschema(pointer: str, schema: Any) -> Subschema:
    if not isinstance(schema, dict):
        return Subschema(weight=1, states=0)
    _refuse_keywords(schema, pointer)
    _refuse_format(schema, pointer)
    states = sum(_pattern_states(text, pointer) for text in _patterns(schema, pointer))
    states += 4 if "format" in schema else 0
    edges = [(where, name, at) for where, name, at, _ in _parts(schema, pointer) if where]
    if "unevaluatedProperties" in schema or "unevaluatedItems" in schema:
        edges += [edge for edge in edges if edge[0] == HERE]  # it looks at its siblings once more
    return Subschema(weight=_weight(schema), states=states, edges=edges)


def _weight(schema: dict[str, Any]) -> int:
    sizes = (
        len(to_json(value)) // 16 if keyword in ("const", "enum") else len(value)
        for keyword, value in schema.items()
        if isinstance(value, list | dict) and keyword not in ("$defs", "definitions")
    )
    return 1 + len(schema) + sum(sizes) + (8 if schema.get("uniqueItems") else 0)


def _refuse_keywords(schema: dict[str, Any], pointer: str) -> None:
    for keyword in _REFUSED.keys() & schema.keys():
        raise InvalidInput(
            f"{keyword} at {pointer or '/'} is not supported.", hint=_REFUSED[keyword]
        )
    if "$id" in schema and pointer:
        raise InvalidInput(f"$id at {pointer} is not supported.", hint="Only the root may have it.")


def _refuse_format(schema: dict[str, Any], pointer: str) -> None:
    name = schema.get("format")
    if isinstance(name, str) and name not in FORMATS:
        close = difflib.get_close_matches(name[:64], FORMATS, n=1) or [", ".join(sorted(FORMATS))]
        raise InvalidInput(
            f"The format {name[:60]!r} at {pointer or '/'} is unknown.", hint=f"Use {close[0]}."
        )


def _patterns(schema: dict[str, Any], pointer: str) -> Iterator[str]:
    named = schema.get("patternProperties")
    candidates = [schema.get("pattern"), *(named if isinstance(named, dict) else ())]
    for text in candidates:
        if isinstance(text, str):
            if len(text) > MAX_PATTERN:
                raise LimitReached(
                    f"A pattern at {pointer or '/'} has more than {MAX_PATTERN} characters."
                )
            yield text


def _pattern_states(text: str, pointer: str) -> int:
    """An upper bound of the states of the automaton, each a step for each byte at worst."""
    del pointer
    states = len(text)
    for low, high in _COUNT.findall(text):
        states *= max(1, int((high or low)[:6]))
    return min(states, 20_000)


def _target(reference: Any, pointer: str) -> str:
    if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
        return reference[1:].replace("%25", "%").replace("%22", '"')
    raise InvalidInput(
        f"$ref at {pointer or '/'} leads outside the schema.",
        hint="Put the schema under $defs and refer to #/$defs/name.",
    )


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
