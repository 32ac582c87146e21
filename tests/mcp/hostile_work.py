"""Likely arguments of the work room, so that hostile calls get past the first check."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from undercroft.work.service import Work

from .hostile import CURRENT, SCALARS, TEXTS

LINE = {"type": "item", "kind": "task", "title": "x", "status": "pending"}
TEXTS_IN = [
    json.dumps({**LINE, "id": "w-import01"}),
    json.dumps({**LINE, "id": "w-import02", "parent": "w-nowhere1", "priority": 99}),
    json.dumps({"type": "comment", "item": "w-import01", "body": "x"}),
    json.dumps([{"number": 1, "title": "x", "state": "open"}]),
    json.dumps({"id": "bd-1", "title": "x", "issue_type": "bug", "dependencies": [{}]}),
    *('{"tasks": [{"id": 1, "title": "x", "dependencies": [1]}]}', "{", "[[]]", ""),
]
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["x", "y"]),
        "status": st.sampled_from(["pending", "in_progress", "completed", "merged"]),
        "priority": st.integers(-1, 5),
        "labels": st.sampled_from([["a"], [""], "a"]),
        "due": TEXTS,
        "code_links": st.sampled_from([["a.py:1-2"], [{"path": "x"}], [{}], [":1"]]),
        "acceptance": st.sampled_from([["x"], [{"met": True}], [3]]),
        "entities": st.sampled_from([[], ["00000000-0000-0000-0000-000000000000"], ["x"]]),
        "external_ref": TEXTS,
        "more": SCALARS,
    },
)
NODES = st.builds(
    lambda some, children, waits: {
        "title": "n",
        **some,
        **({"children": children} if children else {}),
        "blocked_by": waits,
    },
    FIELDS,
    st.sampled_from([[], [{"title": "c"}], {}, [3], [{"title": "c", "key": "k"}]]),
    st.sampled_from([[], [], ["1"], ["k"], ["w-nowhere1"], 3]),
)
WHERE = st.sampled_from(
    [{}, {"kind": "task"}, {"labels": ["a"]}, {"status": "pending"}, {"under": "x"}, {"kind": 3}]
)
STATES = [
    {"status": "a", "category": "todo", "to": ["b"]},
    {"status": "b", "category": "doing", "to": ["c"]},
    {"status": "c", "category": "done", "to": []},
]


def likely(ids: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    """By the names of arguments."""
    known = st.sampled_from([*ids, *ids[:1] * 3, *ids[-1:] * 5])
    maybe = st.sampled_from(["", "", *ids])
    return {
        "id": known,
        "target": known,
        "parent": maybe,
        "before": maybe,
        "after": maybe,
        "version": st.sampled_from([CURRENT, CURRENT, CURRENT, 1, 0]),
        "epoch": st.sampled_from([0, 0, 0, 1, 2]),
        "title": st.sampled_from(["x", "a title"]),
        "fields": st.one_of(st.just({"title": "x"}), FIELDS),
        "items": st.one_of(st.just([{"title": "x"}]), st.lists(NODES, max_size=3)),
        "where": WHERE,
        "type": st.sampled_from(["blocks", "relates", "discovered_from", "follows"]),
        "status": st.sampled_from(["", "", "cancelled", "open", "merged"]),
        "ttl": st.sampled_from([0, 1, 60]),
        "force": st.sampled_from([True, True, False]),
        "limit": st.integers(1, 5),
        "tokens": st.sampled_from([0, 10, 500]),
        "agent": st.sampled_from(["ada", "bob", *["carol"] * 3]),
        "body": TEXTS,
        "action": st.sampled_from(["propose", "request_changes", "revise", "approve", "dispute"]),
        "choice": st.sampled_from(["server", "client", "own"]),
        "content": st.sampled_from(["", "text"]),
        "resolver": st.sampled_from(["", "", "ada", "carol"]),
        "complexity": st.integers(0, 11),
        "complexity_threshold": st.integers(-1, 11),
        "max_iterations": st.integers(0, 9),
        "name": st.from_regex(r"\A[a-z]{3,6}\Z"),
        "statuses": st.sampled_from([STATES, STATES, STATES[:2], [{}], [3], []]),
        "text": st.sampled_from(TEXTS_IN),
        "format": st.sampled_from(["auto", "auto", "undercroft", "github", "svn"]),
    }


async def at_work(work: Work, title: str) -> list[str]:
    """A plan in which everything has begun: claimed, finished, deleted, disputed, linked."""
    nodes = [{"title": f"{title} {n}", "description": title} for n in range(9)]
    made = await work.create_plan([*nodes, {"title": title, "kind": "step"}])
    ids = list(made.ids.values())
    await work.claim(ids[0], agent="ada", ttl=600)
    await work.finish(ids[1])
    await work.delete(ids[2], 1)
    await work.update(ids[3], {"title": "changed"}, version=1)
    await work.link(ids[4], "blocks", ids[5])
    await work.review(ids[9], "propose", agent="ada", content=title)
    await work.review(ids[9], "dispute", agent="bob", content=title, resolver="carol")
    return ids
