"""The query language: a `where` object → one SQL condition and its parameters.

    {"status": "pending", "n": {"gte": 1, "lt": 5}, "tags": {"contains": "x"},
     "or": [{…}, {…}], "not": {…}}

Values travel as parameters only. A condition is never NULL, so `not` means what it says.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from undercroft.entities.fields import Column, Field, indexed, resolve
from undercroft.errors import InvalidInput, LimitReached

COMPARISONS = {"eq": "=", "ne": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
OPERATORS = (*COMPARISONS, "in", "nin", "contains", "like", "exists")
GROUPS = ("and", "or", "not")
MAX_CONDITIONS = 64
MAX_NESTING = 8
MAX_MEMBERS = 500

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII
)
_ORDER = ("null", "string", "number", "boolean")
"""How jsonb orders scalars; then come arrays and objects."""
_FLOOR = {"string": '""', "boolean": "false"}
"""The lowest value of a kind; numbers have none."""


@dataclass(kw_only=True)
class Conditions:
    """Conditions under construction, with their parameters."""

    definition: Mapping[str, Any]
    parameters: list[Any] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self._indexed = {one.path for fields in indexed(self.definition) for one in fields}

    def parameter(self, value: Any, kind: str) -> str:
        """Take a value in; the text that stands for it."""
        self.parameters.append(value)
        return f"${len(self.parameters)}::{kind}"

    def where(self, given: Any, nesting: int = 0) -> str:
        """All members of a `where` object hold.

        Raises:
            InvalidInput: It is not of the language.
            LimitReached: It has too many conditions.

        """
        if not isinstance(given, dict):
            raise InvalidInput("where must be an object.", hint='{"field": value, …}')
        if nesting > MAX_NESTING:
            raise LimitReached(f"where is nested deeper than {MAX_NESTING} levels.")
        parts = [self._member(name, value, nesting) for name, value in given.items()]
        return " AND ".join(parts) if parts else "true"

    def _member(self, name: str, value: Any, nesting: int) -> str:
        if name == "not":
            return f"NOT ({self.where(value, nesting + 1)})"
        if name in ("and", "or"):
            if not isinstance(value, list) or not value:
                raise InvalidInput(f'"{name}" takes a list of conditions.')
            parts = [f"({self.where(item, nesting + 1)})" for item in value]
            return f"({f' {name.upper()} '.join(parts)})"
        target = resolve(name, self.definition)
        if isinstance(value, list):
            raise InvalidInput(
                f"The condition on {name[:60]!r} is a list.",
                hint='Write {"in": […]} for one of them, {"contains": […]} for an array with them.',
            )
        conditions = value if isinstance(value, dict) else {"eq": value}
        if not conditions:
            raise InvalidInput(f"The condition on {name[:60]!r} is empty.")
        return " AND ".join(self._condition(name, target, *pair) for pair in conditions.items())

    def _condition(self, name: str, target: Column | Field, operator: str, value: Any) -> str:
        self._count += 1
        if self._count > MAX_CONDITIONS:
            raise LimitReached(f"where has more than {MAX_CONDITIONS} conditions.")
        _check_operator(operator, name, value)
        if isinstance(target, Column):
            return self._on_column(target, operator, value)
        if operator == "exists":
            return f"({target.value}) IS {'NOT ' if value else ''}NULL"
        if operator == "like":
            text = f"jsonb_typeof({target.value}) = 'string' AND {target.text} ILIKE "
            return f"coalesce({text}{self.parameter(_pattern(value), 'text')}, false)"
        if operator == "contains":
            return self._contains(target, value)
        if target.instant:
            return self._on_instant(target, operator, value)
        return self._on_field(target, operator, value)

    def _contains(self, target: Field, value: Any) -> str:
        inner = value if isinstance(value, list | dict) else [value]
        return f"data @> {self.parameter(_json(target.within(inner)), 'jsonb')}"

    def _on_column(self, column: Column, operator: str, value: Any) -> str:
        if operator == "contains" or (operator == "exists" and column.name != "deleted_at"):
            raise InvalidInput(f"{operator} does not apply to {column.name}.")
        if operator == "exists" or (value is None and operator in ("eq", "ne")):
            present = value if operator == "exists" else operator == "ne"
            return f"{column.name} IS {'NOT ' if present else ''}NULL"
        if operator == "like":
            test = f"{column.name}::text ILIKE {self.parameter(_pattern(value), 'text')}"
        elif operator in ("in", "nin"):
            values = [_column_value(column, item) for item in value]
            test = f"{column.name} = ANY({self.parameter(values, column.kind + '[]')})"
        else:
            symbol = "=" if operator == "ne" else COMPARISONS[operator]
            parameter = self.parameter(_column_value(column, value), column.kind)
            test = f"{column.name} {symbol} {parameter}"
        if column.name == "deleted_at":  # the only column that may be NULL
            test = f"coalesce({test}, false)"
        return f"NOT ({test})" if operator in ("ne", "nin") else test

    def _on_instant(self, target: Field, operator: str, value: Any) -> str:
        if operator in ("in", "nin"):
            equal = [self._on_instant(target, "eq", item) for item in value] or ["false"]
            return f"{'NOT ' if operator == 'nin' else ''}({' OR '.join(equal)})"
        key = target.sort_key
        if value is None:
            if operator not in ("eq", "ne"):
                raise InvalidInput(f"{operator} takes a value, not null.")
            absent = f"coalesce({target.value}, 'null'::jsonb) = 'null'::jsonb"
            return absent if operator == "eq" else f"NOT ({absent})"
        moment = f"workflow.instant({self.parameter(_moment(value), 'text')})"
        known = f" AND {key} > '-infinity'" if operator in ("lt", "lte") else ""
        return f"{key} {COMPARISONS[operator]} {moment}{known}"

    def _on_field(self, target: Field, operator: str, value: Any) -> str:
        key = target.sort_key
        if operator in ("in", "nin"):
            members = self.parameter([_json(item) for item in value], "text[]::jsonb[]")
            return f"{'NOT ' if operator == 'nin' else ''}({key} = ANY({members}))"
        if operator == "ne":
            return f"{key} <> {self.parameter(_json(value), 'jsonb')}"
        if operator == "eq":
            return self._equal(target, value)
        return self._compare(target, operator, value)

    def _equal(self, target: Field, value: Any) -> str:
        """By the field's own index if it has one; otherwise the index over all data serves."""
        if value is None or isinstance(value, list | dict) or target.path in self._indexed:
            return f"{target.sort_key} = {self.parameter(_json(value), 'jsonb')}"
        return f"data @> {self.parameter(_json(target.within(value)), 'jsonb')}"

    def _compare(self, target: Field, operator: str, value: Any) -> str:
        """Within one kind of value: a number is neither below nor above a text."""
        kind = _kind(value)
        key = target.sort_key
        test = f"{key} {COMPARISONS[operator]} {self.parameter(_json(value), 'jsonb')}"
        below = operator in ("lt", "lte")
        edge = kind if below else _ORDER[_ORDER.index(kind) + 1]
        if below and kind == "number":
            test += f" AND {key} > 'null'::jsonb"
        elif edge in _FLOOR:
            test += f" AND {key} {'>=' if below else '<'} '{_FLOOR[edge]}'::jsonb"
        return f"(jsonb_typeof({key}) = '{kind}' AND {test})"


def _check_operator(operator: str, name: str, value: Any) -> None:
    if operator not in OPERATORS:
        close = difflib.get_close_matches(str(operator)[:30], OPERATORS, n=1, cutoff=0.4)
        raise InvalidInput(
            f"There is no operator {str(operator)[:30]!r} (on {name[:60]!r}).",
            hint=f"Did you mean {close[0]}?" if close else f"There are: {', '.join(OPERATORS)}.",
        )
    if operator in ("in", "nin") and (not isinstance(value, list) or len(value) > MAX_MEMBERS):
        raise InvalidInput(f'"{operator}" takes a list of at most {MAX_MEMBERS} values.')
    if operator == "exists" and not isinstance(value, bool):
        raise InvalidInput('"exists" takes true or false.')


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    raise InvalidInput("lt, lte, gt and gte take a number or a text.")


def _json(value: Any) -> str:
    return to_json(value).decode()


def _pattern(value: Any) -> str:
    """A LIKE pattern that PostgreSQL takes and that cannot take it long."""
    if not isinstance(value, str) or len(value) > 200 or value.count("%") > 6:  # noqa: PLR2004
        raise InvalidInput('"like" takes a text of at most 200 characters with at most 6 "%".')
    if (len(value) - len(value.rstrip("\\"))) % 2:
        raise InvalidInput('A "like" pattern cannot end with a single backslash.')
    return value


def _moment(value: Any) -> str:
    """A date-time with an offset; a bare date is its first moment in UTC."""
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        text = value if len(value) > 10 else value + "T00:00:00Z"  # noqa: PLR2004 - a date's length
        try:
            datetime.fromisoformat(text.upper().replace(":60", ":59"))
        except ValueError:
            pass
        else:
            return text
    raise InvalidInput(
        "A time is written 2026-01-31T12:00:00Z.", hint="With an offset, or Z for UTC."
    )


def _column_value(column: Column, value: Any) -> Any:
    try:
        if column.kind == "uuid":
            return UUID(value)
        if column.kind == "timestamptz":
            text = _moment(value).upper().replace(":60", ":59")
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, AttributeError, TypeError, OverflowError):
        raise InvalidInput(f"{column.name} is compared with a {column.kind}.") from None
    if column.kind == "integer":
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**31:
            raise InvalidInput(f"{column.name} is compared with an integer.")
    elif not isinstance(value, str):
        raise InvalidInput(f"{column.name} is compared with a text.")
    return value
