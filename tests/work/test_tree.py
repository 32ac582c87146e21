"""Plans: made whole, in an order without renumbering, read under a budget."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.work.service import Work

PLAN = [
    {
        "title": "Accounts",
        "kind": "epic",
        "sequential": True,
        "children": [
            {"title": "Model", "key": "model", "priority": 1},
            {
                "title": "Login",
                "kind": "issue",
                "children": [
                    {
                        "title": "Form",
                        "acceptance": ["works by keyboard"],
                        "code_links": ["a/b.py:3-9"],
                    },
                    {"title": "Session", "blocked_by": ["1.2.1"]},
                ],
            },
        ],
    },
    {"title": "Release", "kind": "epic", "blocked_by": ["1"]},
]


async def titles(work: Work, item: str = "", **shown: Any) -> list[str]:
    return [f"{'  ' * n.depth}{n.title}" for n in (await work.get_plan(item, **shown)).items]


async def test_a_plan_is_made_in_its_order_with_what_blocks_what(work: Work) -> None:
    made = await work.create_plan(PLAN)
    assert made.items == 6
    assert list(made.ids) == ["1", "model", "1.2", "1.2.1", "1.2.2", "2"]
    assert all(re.fullmatch(r"w-[0-9a-z]{8,}", one) for one in made.ids.values())
    assert await titles(work) == [
        *("Accounts", "  Model", "  Login", "    Form", "    Session", "Release")
    ]
    form = await work.get(made.ids["1.2.1"])
    assert form.acceptance == [{"text": "works by keyboard", "met": False}]
    assert form.code_links == [{"path": "a/b.py", "start_line": 3, "end_line": 9}]
    # Login follows Model, so what lies beneath Login waits with it.
    assert form.blocked is True
    assert [one.id for one in await work.ready()] == [made.ids["model"]]


async def test_a_plan_is_all_or_none(work: Work) -> None:
    circle = [
        {"title": "a", "key": "a", "blocked_by": ["b"]},
        {"title": "b", "key": "b", "blocked_by": ["a"]},
    ]
    with pytest.raises(Conflict, match="wait for itself"):
        await work.create_plan(circle)
    for bad, said in (
        ([{"title": "a"}, {"titel": "b"}], "Item 2: The field 'titel'"),
        ([{"title": "a", "children": [{}]}], "Item 1.1 of the plan has no title"),
        ([{"title": "a", "blocked_by": ["nobody"]}], "no key of the plan"),
        ([{"title": "a", "key": "k"}, {"title": "b", "key": "k"}], "is there twice"),
        ([{"title": "a", "kind": "saga"}], "no such kind"),
        ([], "at least one item"),
    ):
        with pytest.raises(InvalidInput, match=said):
            await work.create_plan(bad)
    assert await titles(work) == []


async def test_siblings_keep_their_order_through_any_number_of_moves(
    work: Work, make, move, sql: asyncpg.Connection
) -> None:
    ids = [await make(name) for name in "abcd"]
    await move(ids[3], before=ids[0])
    assert await titles(work) == ["d", "a", "b", "c"]
    for _ in range(60):
        await move(ids[0], after=ids[3])
        await move(ids[1], after=ids[3])
    assert await titles(work) == ["d", "b", "a", "c"]
    keys = [str(r[0]) for r in await sql.fetch("SELECT order_key FROM workflow.work_items")]
    assert len(set(keys)) == 4
    assert max(map(len, keys)) < 60


async def test_there_is_always_a_place_between_two(sql: asyncpg.Connection) -> None:
    query = "SELECT workflow.work_key_between($1::text::numeric, $2::text::numeric)::text"
    low, high = "1", "2"
    for turn in range(300):
        between = await sql.fetchval(query, low, high)
        assert await sql.fetchval("SELECT $1::text::numeric < $2::text::numeric", low, between)
        low, high = (between, high) if turn % 3 else (low, between)
    assert len(between) < 200


async def test_items_made_at_once_all_find_a_place(work: Work, make, move) -> None:
    parent = await make("parent")
    await asyncio.gather(*(make(f"child {n}", parent) for n in range(12)))
    first = (await work.get_plan(parent)).items[1].id
    movers = [node.id for node in (await work.get_plan(parent)).items[2:]]
    await asyncio.gather(*(move(one, before=first) for one in movers))
    shown = await work.get_plan(parent)
    assert len(shown.items) == 13
    assert shown.items[-1].id == first


async def test_prev_and_next_name_what_stands_around_whatever_its_kind(work: Work, make) -> None:
    task = await make("task")
    step, issue, last = [await make(k, task, kind=k) for k in ("step", "issue", "task")]
    shown = await work.get(f"issue:{issue}")
    assert (shown.prev, shown.next) == (f"step:{step}", f"task:{last}")
    assert shown.parent == f"task:{task}"
    assert (await work.get(step)).prev is None


async def test_a_move_takes_all_beneath_along_and_never_beneath_itself(
    work: Work, make, move
) -> None:
    top, other = await make("top"), await make("other")
    child = await make("child", top)
    await make("leaf", child)
    await move(child, parent=other)
    assert await titles(work) == ["top", "other", "  child", "    leaf"]
    with pytest.raises(Conflict, match="wait for itself"):
        await move(other, parent=child)
    with pytest.raises(NotFound):
        await move(child, parent="w-nowhere1")
    with pytest.raises(NotFound):
        await move(child, before="w-nowhere1")
    with pytest.raises(InvalidInput, match="one place"):
        await move(child, parent=top, before=top)
    await move(child)
    assert (await work.get(child)).parent is None


async def test_what_moves_waits_with_its_new_parent(work: Work, make, move) -> None:
    blocker, waiting, free = [await make(t) for t in ("blocker", "waiting", "free")]
    await work.link(blocker, "blocks", waiting)
    child = await make("child", free)
    leaf = await make("leaf", child)
    await move(child, parent=waiting)
    assert (await work.get(leaf)).blocked is True
    await move(child, parent=free)
    assert (await work.get(leaf)).blocked is None


async def test_a_plan_shows_as_deep_as_the_budget_allows_and_says_what_it_hides(
    work: Work,
) -> None:
    leaves = [{"title": f"leaf {n}"} for n in range(20)]
    plan = [{"title": f"branch {n}", "kind": "issue", "children": leaves} for n in range(10)]
    root = (await work.create_plan([{"title": "root", "kind": "epic", "children": plan}])).ids["1"]
    whole = await work.get_plan(root, tokens=10_000)
    assert (len(whole.items), whole.total, whole.next_cursor) == (211, 211, None)
    small = await work.get_plan(root, tokens=500)
    assert [node.depth for node in small.items] == [0, *[1] * 10]
    assert {node.hidden for node in small.items[1:]} == {20}
    assert small.total == 211
    branch = small.items[4].id
    deeper = await work.get_plan(branch, tokens=800)
    assert len(deeper.items) == 21


async def test_a_level_wider_than_the_budget_comes_in_pages(work: Work) -> None:
    wide = [{"title": f"child {n}"} for n in range(100)]
    root = (await work.create_plan([{"title": "root", "children": wide}])).ids["1"]
    seen, cursor = [], ""
    for _ in range(50):
        page = await work.get_plan(root, tokens=300, cursor=cursor)
        seen += [node.title for node in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == ["root", *(f"child {n}" for n in range(100))]


async def test_progress_is_the_share_of_leaves_that_are_done(work: Work) -> None:
    made = (await work.create_plan(PLAN)).ids
    await work.finish(made["model"])
    await work.finish(made["1.2.1"])
    await work.finish(made["1.2.2"], status="cancelled")
    by_title = {node.title: node.progress for node in (await work.get_plan()).items}
    assert by_title == {
        "Accounts": 100.0,
        "Model": None,
        "Login": 100.0,
        "Form": None,
        "Session": None,
        "Release": None,
    }
    assert (await work.get(made["1"])).progress == 100.0
    await work.create("More", made["1"])
    assert (await work.get(made["1"])).progress == pytest.approx(66.7)


async def test_the_views_of_the_sources_show_the_same_items(
    work: Work, sql: asyncpg.Connection
) -> None:
    made = (await work.create_plan(PLAN)).ids
    await work.create("Step", made["model"], {"kind": "step"})
    rows = await sql.fetch("SELECT title, progress FROM workflow.epics ORDER BY created_at, title")
    assert [row["title"] for row in rows] == ["Accounts", "Release"]
    issue = await sql.fetchrow("SELECT * FROM workflow.issues")
    assert (issue["title"], issue["epic_id"]) == ("Login", made["1"])
    tasks = {row["title"]: row for row in await sql.fetch("SELECT * FROM workflow.tasks")}
    assert tasks["Form"]["issue_id"] == made["1.2"]
    assert tasks["Form"]["next_id"] == f"task:{made['1.2.2']}"
    step = await sql.fetchrow("SELECT * FROM workflow.steps")
    assert (step["task_id"], step["iteration_count"]) == (made["model"], 0)
    assert step["should_promote"] is False


async def test_a_chain_of_any_depth_waits_and_goes_on(work: Work, make) -> None:
    blocker, top = await make("blocker"), await make("top")
    parent = top
    for depth in range(120):
        parent = await make(f"level {depth}", parent)
    await work.link(blocker, "blocks", top)
    assert [one.id for one in await work.ready()] == [blocker]
    await work.finish(blocker)
    assert [one.id for one in await work.ready()] == [parent]
    plan = await work.get_plan(top, tokens=9_000)
    assert all(a.depth + 1 == b.depth for a, b in pairwise(plan.items))


async def test_what_is_archived_counts_and_is_shown_by_its_name(work: Work, make) -> None:
    top = await make("top")
    done, _ = await make("done", top), await make("open", top)
    await make("beneath", done)
    for one in (await work.get_plan(done)).items[::-1]:
        await work.finish(one.id)
    await work.archive(done)
    shown = await work.get_plan(top)
    assert [(one.title, one.progress, one.hidden) for one in shown.items] == [
        ("top", 50.0, None),
        ("open", None, None),
    ]
    assert (await work.get(top)).progress == 50
    assert shown.total == 2
    assert [one.title for one in (await work.get_plan(done)).items] == ["done", "beneath"]
    await work.delete(done, (await work.get(done)).version)
    with pytest.raises(NotFound, match="is deleted"):
        await work.get_plan(done)


async def test_a_place_is_finite(work: Work, make, sql: asyncpg.Connection) -> None:
    line = {"type": "item", "id": "w-aaaa0001", "kind": "task", "title": "a", "status": "pending"}
    for order in ("NaN", "Infinity", "-Infinity", "1e60"):
        with pytest.raises(InvalidInput, match="outside what is allowed"):
            await work.import_text(json.dumps({**line, "order": order}))
    await make("a")


async def test_a_plan_says_who_is_at_what_and_what_is_wrong_with_it(work: Work, make) -> None:
    item = await make("held")
    await work.claim(item, agent="ada")
    assert [one.held_by for one in (await work.get_plan()).items] == ["ada"]
    circle = [
        {"title": "a", "key": "a", "blocked_by": ["b"]},
        {"title": "b", "key": "b", "blocked_by": ["a"]},
    ]
    with pytest.raises(Conflict) as refused:
        await work.create_plan(circle)
    assert "Look at blocked_by" in str(refused.value.hint)
    with pytest.raises(InvalidInput, match="true or false"):
        await work.create_plan([{"title": "a", "sequential": "false"}])
