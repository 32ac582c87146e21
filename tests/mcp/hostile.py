"""Arguments that no honest client sends, made from each tool's own schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

Json = dict[str, Any]


def nested(depth: int, kind: type) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


TEXTS = st.sampled_from(
    [
        *("", " ", "\x00", "a\x00b", "\ud800", "\udfff\ud800", "\ufffe", "\u202e", "é" * 50),
        *("'; DROP TABLE workflow.entities; --", '" OR 1=1 --', "$1", "%s", "{0}", "\\", "\\x00"),
        *("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "~root", "C:\\con", "a/b"),
        *(
            "null",
            "true",
            "0",
            "-1",
            "1e999",
            "NaN",
            "infinity",
            "0x10",
            "१",
            "{",
            "[1",
            "[]",
            "{}",
        ),
        *("2026-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "294277-01-01T00:00:00Z", "-infinity"),
        *("00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"),
        *("bnVsbA", "W10", "WzFd", "eyJhIjoxfQ", "WyIyMDI2LTAxLTAxIiwgIngiXQ", "_-_-", "=" * 9),
        *("task", "vendor", "Task", "task ", "pg_catalog", "x" * 63, "x" * 64, "x" * 300),
        *("a" * 20_000, "(a+)+$", "[" * 500, "postgresql://u:p@h/d", "mcp_registry", "template1"),
    ]
)
NUMBERS = st.sampled_from(
    [
        *(0, 1, -1, 2, 50, 200, 201, 500, 10**6, 2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**63),
        *(2**64, -(2**63), 10**100, 10**320, 0.5, -0.0, 1e-320, 1e308, float("inf"), float("nan")),
    ]
)
HUGE = st.sampled_from(
    [
        *(nested(60, list), nested(60, dict), nested(70, list), nested(400, dict), [0] * 3_000),
        *({f"k{n}": n for n in range(2_000)}, ["x" * 1_000] * 300, {"": {"": {"": ""}}}),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, st.text(max_size=20))
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(TEXTS, st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=8,
)

FIELDS = st.sampled_from(
    [
        *("title", "status", "priority", "due_date", "tags", "format_support.pdf", "nothing"),
        *("id", "version", "created_at", "updated_by", "type", "a.b.c.d", "a..b", ".", "", "-"),
        *("data->>'x'", "a'b", 'a"b', "or", "and", "not", "eq", "title.x", "0", "tags.0", "\x00"),
    ]
)
OPERATORS = st.sampled_from(
    [
        *("eq", "ne", "lt", "lte", "gt", "gte", "in", "nin", "contains", "like", "exists"),
        *("regex", "$where", "EQ", "", "or", "not"),
    ]
)
CONDITIONS = st.recursive(
    st.dictionaries(
        FIELDS,
        st.one_of(SCALARS, st.dictionaries(OPERATORS, st.one_of(SCALARS, ANYTHING), max_size=2)),
        max_size=3,
    ),
    lambda inner: st.one_of(
        st.builds(lambda parts: {"or": parts}, st.lists(inner, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=5,
)

_KEYWORDS: Mapping[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["object", "string", "integer", "nothing", 7, ["object", "null"]]),
    "properties": st.dictionaries(
        FIELDS,
        st.sampled_from(
            [
                *({"type": "string"}, {"type": "integer"}, {"format": "date-time"}, True, False),
                *({"pattern": "(a+)+$"}, {"pattern": "("}, {"pattern": "\\p{L}"}, 3, None, {}),
                *({"$ref": "#"}, {"$ref": "#/$defs/x"}, {"enum": []}, {"multipleOf": 0}),
                *({"minLength": -1}, {"maximum": 10**400}, {"const": "\x00"}, {"type": "array"}),
            ]
        ),
        max_size=4,
    ),
    "required": st.one_of(st.lists(FIELDS, max_size=3), SCALARS),
    "additionalProperties": st.one_of(st.booleans(), SCALARS),
    "$ref": st.sampled_from(["#", "#/$defs/a", "http://127.0.0.1:1/x", "file:///etc/passwd", 1]),
    "$id": TEXTS,
    "$schema": TEXTS,
    "$defs": st.sampled_from([{}, {"a": {"$ref": "#/$defs/a"}}, 3]),
    "allOf": st.one_of(st.lists(st.sampled_from([{}, True, {"$ref": "#"}]), max_size=3), SCALARS),
    "patternProperties": st.dictionaries(TEXTS, st.booleans(), max_size=2),
    "x-indexed": st.one_of(st.lists(st.one_of(FIELDS, st.lists(FIELDS, max_size=4))), ANYTHING),
    "x-text": st.one_of(st.lists(FIELDS, max_size=4), ANYTHING),
    "unevaluatedProperties": st.booleans(),
    "not": st.sampled_from([{}, True, {"not": {}}, 1]),
}
SCHEMAS = st.fixed_dictionaries({}, optional=_KEYWORDS)


CURRENT = -77_001
"""Stands for the version that the record has by then."""

HONEST = {"title": "honest", "status": "pending", "tags": ["a"], "priority": "low"}
TWISTS = st.fixed_dictionaries(
    {},
    optional={
        "title": SCALARS,
        "status": SCALARS,
        "tags": ANYTHING,
        "due_date": TEXTS,
        "description": st.one_of(TEXTS, ANYTHING),
        "more": ANYTHING,
    },
)
RECORDS = st.one_of(
    st.just(HONEST), st.just(HONEST), TWISTS.map(HONEST.__or__), TWISTS.map(HONEST.__or__), TWISTS
)
QUERIES = st.sampled_from(
    [
        *({}, {"status": "pending"}, {"title": {"like": "a%"}}, {"n": {"gte": 0}}),
        *({"due_date": {"lt": "2027-01-01T00:00:00Z"}}, {"tags": {"contains": "a"}}),
        *(
            {"or": [{"status": "pending"}, {"not": {"status": "blocked"}}]},
            {"id": {"exists": True}},
        ),
    ]
)
DEFINITIONS = st.sampled_from(
    [
        *({"type": "object"}, {"properties": {"title": {"type": "string"}}, "x-text": ["title"]}),
        *({"properties": {"n": {"type": "integer"}}, "x-indexed": ["n"]}, {"required": ["x"]}),
    ]
)


def lawful(schema: Json) -> st.SearchStrategy[Any]:
    """What the schema allows. (hypothesis-jsonschema's own objects need an older hypothesis.)"""
    if schema.get("type") == "object":
        own = {name: lawful(part) for name, part in schema.get("properties", {}).items()}
        required = {name: own.pop(name) for name in schema.get("required", [])}
        free = st.dictionaries(st.text(max_size=8), ANYTHING, max_size=3)
        return st.fixed_dictionaries(required, optional=own) if required or own else free
    if schema.get("type") == "array":
        return st.lists(lawful(schema.get("items", {})), max_size=4)
    if "anyOf" in schema:
        return st.one_of([lawful(part) for part in schema["anyOf"]])
    return from_schema(schema) if schema else ANYTHING


PORT, FREE_PORTS = 15_900, st.integers(15_901, 15_999)
"""A port that the project has, and numbers in whose range nobody has any."""


def ports(reservation: str) -> dict[str, st.SearchStrategy[Any]]:
    """Likely arguments of the ports room."""
    services = ["web", ["web"], ["web", "db"], ["n1", "n2", "n3"]]
    return {
        "service": st.sampled_from(services),
        "port": st.sampled_from([PORT, PORT, 0, 1, 80]),
        "range": st.sampled_from(["", "", "default", "nowhere"]),
        "preferred": st.sampled_from([0, 0, PORT, 80]),
        "worktree": st.sampled_from(["", "", "/nowhere", "nowhere/at all"]),
        "count": st.integers(1, 3),
        "ttl": st.sampled_from([1, 60]),
        "renew": st.sampled_from(["", "", reservation]),
        "reservation": st.just(reservation),
        "first_port": FREE_PORTS,
        "last_port": FREE_PORTS,
        "purpose": TEXTS,
        "http_path": st.sampled_from(["", "", "/", "/x y", "//a@b"]),
    }


TIMERS = ("w-clock001", "w-clock002", "w-clock003")
"""Work items whose clocks run."""
TIMING: Mapping[str, st.SearchStrategy[Any]] = {
    "timer": st.sampled_from(TIMERS),
    "item": st.sampled_from(["", *TIMERS, "w-clock004"]),
    "resume": st.sampled_from(["", "", *TIMERS]),
    "outcome": st.sampled_from(["paused", "paused", "finished", "abandoned"]),
    "minutes": st.sampled_from([1, 0.5, 90, 0, -1]),
    "own_estimate": st.sampled_from([0, 0, 60, 1e-9]),
    "complexity": st.sampled_from([0, 3, 101]),
    "labels": st.lists(st.sampled_from(["core", "docs", ""]), max_size=3),
    "factors": st.lists(st.sampled_from(["flaky tests", "new code"]), max_size=2),
}
SECRETS: Mapping[str, st.SearchStrategy[Any]] = {
    "value": st.sampled_from(["", "sesame", "a b", "{}"]),
    "length": st.sampled_from([0, 0, 32, 15]),
    "around": st.sampled_from(["", "", "x{}", "{}{}"]),
    "expires_days": st.sampled_from([0, 0, 7, -1]),
    "every_days": st.sampled_from([0, 30, 4_000]),
    "reveal": st.booleans(),
}
CODE: Mapping[str, st.SearchStrategy[Any]] = {
    "query": st.sampled_from(["where is a lease renewed?", "renew", "KeepLease", "a b"]),
    "path": st.sampled_from(["", ".", "pool/lease.go", "lease.go", "..", "notes.txt"]),
    "paths": st.lists(st.sampled_from(["pool/**", "*.go", "[", "!x", "**"]), max_size=2),
    "file_types": st.lists(st.sampled_from(["go", "Go", "text", "x"]), max_size=2),
    "repository": st.sampled_from(["code", "code", "other"]),
    "repositories": st.lists(st.sampled_from(["code", "code", "other"]), max_size=2),
    "line": st.integers(-1, 9),
    "start_line": st.integers(-1, 9),
    "end_line": st.integers(-1, 9),
    "wait_seconds": st.sampled_from([0, 5]),
}


class Known:
    """What exists, so that hostile calls get past the first check."""

    def __init__(self, project: str, ids: list[str], cursors: list[str], reservation: str) -> None:
        self.project = project
        changes = st.fixed_dictionaries(
            {"id": st.sampled_from(ids), "version": st.one_of(st.just(CURRENT), st.integers(0, 4))},
            optional={"patch": RECORDS, "data": st.one_of(RECORDS, SCALARS), "extra": SCALARS},
        )
        fair = st.fixed_dictionaries(
            {"id": st.sampled_from(ids), "version": st.just(CURRENT), "patch": st.just(HONEST)}
        )
        torn = st.sampled_from([cursor[:-2] for cursor in cursors])
        self._likely: dict[str, st.SearchStrategy[Any]] = {
            "project": st.just(project),
            "id": st.sampled_from(ids),
            "version": st.sampled_from([CURRENT, CURRENT, CURRENT, 1, 0]),
            "to_version": st.integers(0, 3),
            "type": st.sampled_from(["task", "task", "vendor", "made"]),
            "name": st.sampled_from(["task", "made", "kind_2", "renew", project]),
            "text": st.sampled_from(["", "honest", "a b", "-"]),
            "cursor": st.one_of(st.just(""), st.sampled_from(cursors), torn),
            "where": st.one_of(QUERIES, CONDITIONS),
            "sort": st.lists(st.sampled_from(["title", "-due_date", "created_at"]), max_size=2),
            "fields": st.lists(st.one_of(st.just("title"), FIELDS), max_size=2),
            "schema": st.one_of(DEFINITIONS, SCHEMAS),
            "defaults": st.one_of(st.just({}), RECORDS),
            "data": RECORDS,
            "patch": RECORDS,
            "records": st.lists(RECORDS, min_size=1, max_size=3),
            "changes": st.one_of(st.lists(fair, min_size=1, max_size=1), st.lists(changes)),
            **CODE,
            **ports(reservation),
            **TIMING,
            **SECRETS,
            "kind": st.sampled_from(["", "bug", "Feature", "token", "password", "nothing"]),
            "idempotency_key": st.sampled_from(["", "", "", "a", "b"]),
        }

    def arguments(
        self, schema: Json, likely: Mapping[str, st.SearchStrategy[Any]]
    ) -> st.SearchStrategy[Json]:
        """Arguments of one call: nearly honest, torn, or with names that nobody knows.

        `likely`: what is likely in the tool's room, where that differs.
        """
        odd = st.dictionaries(
            st.one_of(st.sampled_from(["nme", "idd", "__class__"]), TEXTS), SCALARS
        )
        known = {**self._likely, **likely}
        good = {
            name: known[name] if name in known else lawful(part)
            for name, part in schema["properties"].items()
        }
        torn = st.fixed_dictionaries({}, optional=good)
        mixed = st.builds(lambda some, more: {**more, **some}, torn, odd)
        # Arguments without which a call of that room mostly comes to nothing.
        twisted = self._twisted(schema, good, {"version", "content"} & set(likely))
        kinds = [mixed, lawful(schema), *[twisted] * 8]
        return st.integers(0, 9).flatmap(lambda die: kinds[die])

    def _twisted(
        self, schema: Json, good: Mapping[str, st.SearchStrategy[Any]], always: set[str]
    ) -> st.SearchStrategy[Json]:
        """All that is required, some of the rest, and at most two of them hostile."""
        bad = {name: bad_value(part) for name, part in schema["properties"].items()}
        always = (always | {"project"}) & set(good) | set(schema.get("required", []))
        rest = st.sets(st.sampled_from(sorted(good)), max_size=3) if good else st.just(set())

        @st.composite
        def twisted(draw: st.DrawFn) -> Json:
            some = draw(rest)
            names = sorted(always | some)
            victims = draw(st.sets(st.sampled_from(names), max_size=2)) if names else set()
            return {name: draw((bad if name in victims else good)[name]) for name in names}

        return twisted()


def bad_value(schema: Json) -> st.SearchStrategy[Any]:
    """Hostile, or at least odd."""
    kinds = [lawful(schema), TEXTS, NUMBERS, HUGE, ANYTHING]
    return st.integers(0, len(kinds) - 1).flatmap(lambda kind: kinds[kind])
