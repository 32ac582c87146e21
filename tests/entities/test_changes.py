"""JSON merge patch and differences."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.entities.changes import differences, merge, same

# The table of RFC 7396, appendix A: original, patch, result.
RFC7396: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

documents = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(0, 2), st.just(1.0), st.text("ab/~", max_size=2)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("original", "patch", "result"), RFC7396)
def test_merge_patch_does_what_the_rfc_says(original: Any, patch: Any, result: Any) -> None:
    assert merge(original, patch) == result


@given(old=documents, patch=documents)
def test_merging_leaves_the_original_alone(old: Any, patch: Any) -> None:
    import copy

    before = copy.deepcopy(old)
    merge(old, patch)
    assert old == before


@given(old=documents, new=documents)
def test_differences_lead_from_the_old_document_to_the_new(old: Any, new: Any) -> None:
    assert same(applied(old, differences(old, new)), new)


@given(document=documents)
def test_a_document_does_not_differ_from_itself(document: Any) -> None:
    assert differences(document, document) == []


def test_true_differs_from_1_but_1_not_from_its_float() -> None:
    assert differences({"a": 1}, {"a": True}) == [{"path": "/a", "old": 1, "new": True}]
    assert differences({"a": 1}, {"a": 1.0}) == []


def applied(document: Any, changes: list[dict[str, Any]]) -> Any:
    import copy

    document = copy.deepcopy(document)
    for change in changes:
        parts = [p.replace("~1", "/").replace("~0", "~") for p in change["path"].split("/")[1:]]
        if not parts:
            return change["new"]
        here = document
        for part in parts[:-1]:
            here = here[part]
        if "new" in change:
            here[parts[-1]] = change["new"]
        else:
            del here[parts[-1]]
    return document
