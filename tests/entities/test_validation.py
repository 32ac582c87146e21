"""Validation: right by the oracle, and never in the way of the event loop."""

import asyncio
import json
import random
import time
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from undercroft.entities import isolation
from undercroft.entities.isolation import Checkers
from undercroft.entities.validation import Validator, compile_definition
from undercroft.errors import InvalidInput, LimitReached, UndercroftError

OBJECT: dict[str, Any] = {"type": "object"}

values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5),
        st.floats(-5, 5, allow_nan=False).map(lambda x: round(x, 2)),
        st.text(alphabet="abé0-", max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
keywords: dict[str, Any] = {
    "type": st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"]),
    "enum": st.lists(values, min_size=1, max_size=3),
    "const": values,
    "minimum": st.integers(-3, 3),
    "exclusiveMaximum": st.integers(-3, 3),
    "multipleOf": st.sampled_from([1, 2, 3]),
    "minLength": st.integers(0, 3),
    "maxLength": st.integers(0, 3),
    "pattern": st.sampled_from(["^a", "b$", "[0-9]", "^(a|b)*$"]),
    "minItems": st.integers(0, 2),
    "uniqueItems": st.booleans(),
    "required": st.lists(st.sampled_from("abc"), unique=True),
    "maxProperties": st.integers(0, 2),
}


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(st.sampled_from("abc"), inner, max_size=2)
    applied = {
        "properties": named,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "[bc]"]), inner, max_size=1),
        "additionalProperties": inner,
        "unevaluatedProperties": inner,
        "propertyNames": inner,
        "dependentSchemas": named,
        "items": inner,
        "prefixItems": several,
        "contains": inner,
        "unevaluatedItems": inner,
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
    }
    return st.fixed_dictionaries({}, optional=keywords | applied).flatmap(
        lambda schema: st.just(dict(list(schema.items())[:4]))
    )


schemas = st.recursive(
    st.one_of(st.booleans(), st.fixed_dictionaries({}, optional=keywords)), nested, max_leaves=6
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(schema=schemas, data=st.lists(values, min_size=1, max_size=4))
def test_what_we_accept_is_what_jsonschema_accepts(schema: Any, data: list[Any]) -> None:
    definition = OBJECT | {"properties": {"value": schema}}
    validator = compile_definition(definition)
    oracle = jsonschema.Draft202012Validator(definition)
    for value in data:
        document = {"value": value}
        assert validator.compiled.is_valid(document) == oracle.is_valid(document), (schema, value)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_data_made_to_fit_a_schema_fits(data: st.DataObject) -> None:
    schema = data.draw(st.fixed_dictionaries({}, optional=keywords))
    try:
        value = data.draw(from_schema(schema))
    except Exception:  # noqa: BLE001 - the generator gives up on schemas that nothing fits
        assume(False)  # noqa: FBT003 - hypothesis's own way
    definition = OBJECT | {"properties": {"value": schema}}
    document = {"value": value}
    fits = jsonschema.Draft202012Validator(definition).is_valid(document)
    assert compile_definition(definition).compiled.is_valid(document) == fits


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date-time", "2026-02-28T12:00:00Z", "2026-02-30T12:00:00Z"),
        ("date", "2024-02-29", "2023-02-29"),
        ("email", "a@example.org", "a@"),
        ("uri", "https://example.org/a", "not a uri"),
        ("uuid", "7d444840-9dc0-11d1-b245-5ffdce74fad2", "7d444840"),
        ("ipv4", "127.0.0.1", "256.0.0.1"),
    ],
)
def test_formats_are_asserted(name: str, good: str, bad: str) -> None:
    validator = compile_definition(OBJECT | {"properties": {"value": {"format": name}}})
    assert validator.compiled.is_valid({"value": good})
    assert not validator.compiled.is_valid({"value": bad})


DOUBLING: dict[str, Any] = {"$ref": "#/$defs/d18", "$defs": {"d0": {"type": "string"}}}
for turn in range(1, 19):
    two = {"$ref": f"#/$defs/d{turn - 1}"}
    DOUBLING["$defs"][f"d{turn}"] = {"anyOf": [two, two]}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        schema = {"allOf": [schema]}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(DOUBLING, id="alternatives that double 18 times"),
        pytest.param(deep(3000), id="3,000 levels"),
        pytest.param(deep(100_000), id="100,000 levels"),
        pytest.param({"$ref": "http://127.0.0.1:9/x"}, id="$ref to the network"),
        pytest.param({"$ref": "file:///etc/passwd"}, id="$ref to a file"),
        pytest.param({"$ref": "#/nowhere"}, id="$ref to nothing"),
        pytest.param({"$ref": "#"}, id="$ref to itself"),
        pytest.param(
            {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#"}}}, id="a ring"
        ),
        pytest.param({"$dynamicRef": "#x"}, id="$dynamicRef"),
        pytest.param({"properties": {"a": {"$id": "http://x/"}}}, id="$id inside"),
        pytest.param({"properties": {"a": {"pattern": "(?=a)"}}}, id="look-ahead"),
        pytest.param({"properties": {"a": {"pattern": "(a)\\1"}}}, id="back-reference"),
        pytest.param({"properties": {"a": {"pattern": "(a{1,999}){1,999}"}}}, id="huge repetition"),
        pytest.param({"properties": {"a": {"pattern": "a" * 1000}}}, id="long pattern"),
        pytest.param({"patternProperties": {f"^{i}": {} for i in range(500)}}, id="500 patterns"),
        pytest.param({"properties": {"a": {"type": "objet"}}}, id="no such type"),
        pytest.param({"properties": {"a": {"format": "datetime"}}}, id="no such format"),
        pytest.param({"properties": {"a": 5}}, id="no schema"),
        pytest.param({"required": "a"}, id="no list"),
        pytest.param({"type": "string"}, id="no object"),
        pytest.param({"$schema": "http://json-schema.org/draft-07/schema#"}, id="draft 7"),
        pytest.param({"description": "x" * 70_000}, id="70,000 bytes"),
        pytest.param({"properties": {str(i): {} for i in range(3000)}}, id="3,000 subschemas"),
        pytest.param({"default": float("nan")}, id="NaN"),
        pytest.param({"title": "\x00"}, id="NUL"),
        pytest.param({"title": "\ud800"}, id="half a surrogate pair"),
        pytest.param([], id="a list"),
        pytest.param(
            {
                "properties": {f"p{i}": {"$ref": "#/$defs/x"} for i in range(300)},
                "$defs": {"x": {"allOf": [{"properties": {"z": {"$ref": "#"}}}] * 300}},
            },
            id="many roads back to the root",
        ),
    ],
)
def test_a_hostile_schema_is_refused_at_once(schema: Any) -> None:
    # Time of this thread alone, and the best of three: what else the machine does must not decide.
    spent = []
    for _ in range(3):
        started = time.thread_time()
        with pytest.raises((InvalidInput, LimitReached)):
            compile_definition(schema)
        spent.append(time.thread_time() - started)
    assert min(spent) < 0.05


TAGGED = OBJECT | {
    "oneOf": [
        {"properties": {"k": {"const": kind}, "next": {"$ref": "#"}}, "required": ["k"]}
        for kind in ("a", "b")
    ]
}
CHAIN: dict[str, Any] = {"k": "a"}
for _ in range(40):
    CHAIN = {"k": "a", "next": CHAIN}

# Without a period, so that the automaton's cache is of no use: 0.5 s of matching.
BITS = f"{random.Random(1).getrandbits(240_000):b}"  # noqa: S311 - not a secret
SLOW_PATTERN = OBJECT | {"properties": {"value": {"pattern": "([01]*1[01]{40}){5}2"}}}
MANY_NAMES = OBJECT | {"patternProperties": {f"^{i}x": {"type": "string"} for i in range(30)}}
STRINGS = OBJECT | {"properties": {"value": {"items": {"type": "string"}}}}
UNIQUE = OBJECT | {"properties": {"value": {"uniqueItems": True}}}


@pytest.mark.parametrize(
    ("schema", "data", "fits"),
    [
        pytest.param(SLOW_PATTERN, {"value": BITS}, None, id="slow pattern"),
        pytest.param(MANY_NAMES, {f"n{i}": 1 for i in range(20_000)}, True, id="20,000 names"),
        pytest.param(STRINGS, {"value": list(range(40_000))}, False, id="40,000 errors"),
        pytest.param(STRINGS, {"value": [""] * 60_000}, True, id="60,000 values"),
        pytest.param(UNIQUE, {"value": [[i, i] for i in range(20_000)]}, True, id="20,000 unique"),
        pytest.param(TAGGED, CHAIN, None, id="a chain that branches at every link"),
    ],
)
async def test_the_event_loop_is_never_held(schema: Any, data: Any, fits: bool | None) -> None:
    validator = compile_definition(schema)
    text = json.dumps(data)
    longest, stop = [0.0], asyncio.Event()

    async def watch() -> None:
        # Time that the loop's thread computes between two turns; another program's does not count.
        while not stop.is_set():
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], time.thread_time() - before)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0.01)
    try:
        violations = await validator.violations(data, text, Checkers())
        assert fits is None or (violations is None) == fits
        assert violations is None or 1 <= len(violations) <= 10
    except LimitReached:
        assert fits is None
    finally:
        stop.set()
        await watcher
    assert longest[0] < 0.05


async def test_a_check_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    checkers = Checkers()
    with pytest.raises(LimitReached):
        await checkers.check('{"type": "object"}', ["{}"], errors=1, deadline=0.001)
    assert await checkers.check('{"type": "object"}', ["[]"], errors=1) == [
        (0, [["", 'the value is not of type "object"', None]])
    ]


async def test_both_ways_of_checking_give_the_same_answer() -> None:
    validator = compile_definition(STRICT)
    for data in ({"a": 1, "b": "x"}, {"a": "no", "c": [1, "é"]}, {"a": 5, "d": {"e": None}}):
        text = json.dumps(data)
        inline = await validator.violations(data, text, Checkers())
        forced = await Validator(
            definition=validator.definition,
            compiled=validator.compiled,
            cost=compile_definition(OBJECT | {"required": ["x"]}).cost,
        )._isolated(text, Checkers(), known_bad=False)
        assert inline == forced


STRICT = OBJECT | {
    "properties": {"a": {"type": "integer", "maximum": 4}, "c": {"items": {"type": "integer"}}},
    "required": ["a", "b"],
}


def test_isolation_runs_a_file_that_exists() -> None:
    from pathlib import Path

    assert Path(isolation.__file__).with_name("checker.py").is_file()


def test_refusals_are_ours() -> None:
    with pytest.raises(UndercroftError) as refused:
        compile_definition({"properties": {"due": {"format": "datetime"}}})
    assert "date-time" in refused.value.hint
