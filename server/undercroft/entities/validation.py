"""Data against its type: in the event loop when it is provably quick, in another process if not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema_rs

from undercroft.entities import checker, cost, definitions, documents
from undercroft.entities.cost import Cost
from undercroft.entities.isolation import Checkers, as_json
from undercroft.entities.models import Violation
from undercroft.errors import InvalidInput, LimitReached, UndercroftError

QUICK = 20e6
"""Nanoseconds that the event loop may be held at worst by one check."""

LISTING = 100
"""How much dearer an error is listed than found (measured: 10 µs against 90 ns)."""

MAX_VIOLATIONS = 10

INLINE_SCHEMA = 4 * 1024
"""Bytes of a definition that compiles in a few milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Validator:
    """A compiled definition."""

    definition: Mapping[str, Any]
    compiled: jsonschema_rs.Validator = field(repr=False)
    cost: Cost = field(repr=False)

    def worst(self, text: str) -> float:
        """Nanoseconds that checking a document (its JSON text) takes at most."""
        depth = min(text.count("{") + text.count("["), documents.MAX_DEPTH)
        return self.cost.nanoseconds(values=documents.values_in(text), size=len(text), depth=depth)

    async def violations(
        self, data: Any, text: str, checkers: Checkers
    ) -> Sequence[Violation] | None:
        """None if the data fits; otherwise the first violations.

        Raises:
            LimitReached: The check did not end in time.
            InvalidInput: The data is no JSON.

        """
        worst = self.worst(text)
        if worst <= QUICK and self._fits(data):
            return None
        if worst * LISTING <= QUICK:
            found = checker.complaints(self.compiled, data, MAX_VIOLATIONS)
            return [_violation(*one) for one in found]
        return await self._isolated(text, checkers, known_bad=worst <= QUICK)

    async def _isolated(
        self, text: str, checkers: Checkers, *, known_bad: bool
    ) -> Sequence[Violation] | None:
        schema = as_json(self.definition)
        try:
            invalid = await checkers.check(schema, [text], errors=MAX_VIOLATIONS)
        except LimitReached:
            if not known_bad:
                raise
            return [Violation(path="", message="does not fit; listing the reasons took too long")]
        return [_violation(*one) for one in invalid[0][1]] if invalid else None

    def _fits(self, data: Any) -> bool:
        try:
            return self.compiled.is_valid(data)
        except (ValueError, TypeError):
            raise InvalidInput("data holds a value that is not JSON.") from None

    async def misfits(
        self, texts: Sequence[str], parsed: Sequence[Any], checkers: Checkers
    ) -> list[tuple[int, Violation]]:
        """Of many documents those that do not fit, each with its first violation."""
        bad: list[tuple[int, Violation]] = []
        slow: list[int] = []
        held = 0.0
        for place, text in enumerate(texts):
            worst = self.worst(text)
            if worst * LISTING > QUICK and (worst > QUICK or not self._fits(parsed[place])):
                slow.append(place)
            elif found := self._first(parsed[place]):
                bad.append((place, found))
            held += worst + 1000 * len(text)
            if held > QUICK:
                await asyncio.sleep(0)
                held = 0.0
        return sorted(bad + await self._slow_misfits(texts, slow, checkers), key=lambda b: b[0])

    def _first(self, data: Any) -> Violation | None:
        if self._fits(data):
            return None
        return _violation(*checker.complaints(self.compiled, data, 1)[0])

    async def _slow_misfits(
        self, texts: Sequence[str], slow: Sequence[int], checkers: Checkers
    ) -> list[tuple[int, Violation]]:
        if not slow:
            return []
        schema = as_json(self.definition)
        invalid = await checkers.check(
            schema, [texts[place] for place in slow], errors=1, deadline=60.0
        )
        return [(slow[place], _violation(*found[0])) for place, found in invalid]


def compile_definition(definition: Any) -> Validator:
    """Check a definition and make it ready for use.

    Raises:
        InvalidInput: It is no JSON Schema 2020-12, or one that we do not take.
        LimitReached: It is too large, or too dear to check data with.

    """
    documents.refuse_deep_schema(definition)
    bound = cost.estimate(definitions.outline(definition))
    try:
        compiled = checker.compile_schema(definition)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise _refused_schema(error) from None
    return Validator(definition=definition, compiled=compiled, cost=bound)


async def compile_beside(definition: Any) -> Validator:
    """As `compile_definition`, which takes up to 0.1 s, without holding the loop."""
    documents.refuse_deep_schema(definition)
    if len(as_json(definition)) <= INLINE_SCHEMA:
        return compile_definition(definition)
    return await asyncio.to_thread(compile_definition, definition)


def _refused_schema(error: Exception) -> UndercroftError:
    if not isinstance(error, jsonschema_rs.ValidationError):
        return InvalidInput("schema is not a JSON Schema 2020-12.")
    path = "/".join(str(part) for part in error.instance_path)[:200]
    if error.message.endswith('is not a "regex"'):
        return InvalidInput(
            f"The pattern at {path} is not one we take.",
            hint="Look-around, back-references and very large repetitions are not supported.",
        )
    return InvalidInput(
        f"schema is not a JSON Schema 2020-12: at {path or 'the root'}, {error.message[:200]}."
    )


def _violation(path: str, message: str, value: Any) -> Violation:
    said = message.removeprefix(checker.MASK + " ")
    shown = f", got {documents.short(value)}" if value is not None and said != message else ""
    return Violation(path=path, message=said + shown)


def refusal(violations: Sequence[Violation], type_name: str, where: str = "data") -> InvalidInput:
    """The error for data that does not fit its type."""
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return InvalidInput(
        f"{where} does not fit type {type_name}: {first.path or 'data'} {first.message}{more}.",
        hint=f"get_entity_type shows what {type_name} demands.",
        data={"violations": [{"path": v.path, "message": v.message} for v in violations]},
    )
