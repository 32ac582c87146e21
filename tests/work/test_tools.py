"""The work room as tools, through the boundary that every client passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[..., Awaitable[dict[str, Any]]]

PLAN = [{"title": "a", "key": "a"}, {"title": "b", "blocked_by": ["a"]}]


async def test_a_plan_under_a_key_is_made_once(does: Call, call: Call, project: str) -> None:
    first = await does("create_plan", items=PLAN, idempotency_key="k")
    assert await does("create_plan", items=PLAN, idempotency_key="k") == first
    assert (await does("get_plan"))["total"] == 2
    other = await call("create_plan", project=project, items=PLAN[:1], idempotency_key="k")
    assert other["code"] == "conflict"


async def test_a_claim_whose_answer_was_lost_is_told_again_under_its_key(does: Call) -> None:
    await does("create_plan", items=PLAN)
    claims = [does("claim_work", agent="ada", idempotency_key="c") for _ in range(4)]
    told = await asyncio.gather(*claims)
    assert {one["epoch"] for one in told} == {1}
    done = await does("finish_work", id=told[0]["id"], epoch=1, idempotency_key="f")
    assert await does("finish_work", id=told[0]["id"], epoch=1, idempotency_key="f") == done


async def test_an_agent_goes_from_a_plan_to_its_end(does: Call, call: Call, project: str) -> None:
    ids = (await does("create_plan", items=PLAN))["ids"]
    await does("create_work", title="c", parent=ids["2"], fields={"kind": "step", "priority": 0})
    [ready] = (await does("ready_work"))["result"]
    assert ready["id"] == ids["a"]
    mine = await does("claim_work", ttl=60)
    renewed = await does("claim_work", id=mine["id"], epoch=mine["epoch"], ttl=600)
    assert renewed["until"] > mine["until"]
    late = await call("update_work", project=project, id=mine["id"], fields={"title": "x"}, epoch=9)
    assert (late["code"], late["retryable"]) == ("conflict", False)
    await does("finish_work", id=f"task:{mine['id']}", epoch=mine["epoch"])
    found = await does("query_work", where={"status": "completed"})
    assert [one["id"] for one in found["items"]] == [ids["a"]]
    back = await does("undo_work", id=mine["id"], version=3, to_version=1)
    assert back["status"] == "pending"
    assert [one["id"] for one in (await does("blocked_work"))["items"]]
    wrong = await call("query_work", project=project, where={"colour": "red"})
    assert "no condition 'colour'" in wrong["message"]


async def test_an_answer_never_exceeds_what_a_client_takes(does: Call) -> None:
    long = [{"title": f"{n} " + "x" * 490, "description": "y" * 1_000} for n in range(150)]
    await does("create_plan", items=[{"title": "top", "children": long}])
    plan = await does("get_plan", tokens=100_000)
    assert plan["next_cursor"]
    rest = await does("get_plan", tokens=100_000, cursor=plan["next_cursor"])
    assert rest["items"][0]["title"].startswith(f"{len(plan['items']) - 1} ")
    page = await does("query_work", limit=200)
    assert page["next_cursor"]
    assert (await does("ready_work", limit=50))["result"]


async def test_what_is_too_long_to_be_told_is_shortened_and_no_write_is_refused_for_it(
    does: Call,
) -> None:
    much = {
        "description": "d" * 50_000,
        "acceptance": ["a" * 2_000] * 100,
        "code_links": [{"repository": "r" * 500, "path": "p" * 2_000}] * 100,
    }
    item = (await does("create_work", title="x", fields=much))["id"]
    for _ in range(12):
        await does("comment_on_work", id=item, body="\n" * 50_000)
    claim = await does("claim_work")
    assert claim["description"].endswith("…")
    assert (await does("get_work", id=item))["comments"][0]["body"].endswith("…")
    change = {"description": "e" * 50_000}
    await does("update_work", id=item, epoch=claim["epoch"], fields=change)
    assert (await does("get_work_history", id=item))["items"][0]["version"] == 3
    text = "\x01" * 10_000
    await does("review_step", id=item, action="propose", agent="a", content=text)
    await does(
        "review_step", id=item, action="dispute", agent="b", content=text, reasoning=text[:2_000]
    )
    assert (await does("list_disputes"))["result"]
    settled = await does("resolve_dispute", id=item, choice="server", agent="c")
    assert settled["final_content"].endswith("…")
    wide = [{"title": "w", "children": [{"title": f"n {n}"} for n in range(3_000)]}]
    made = await does("create_plan", items=wide)
    assert (made["items"], list(made["ids"])) == (3_001, ["1"])


async def test_a_comment_says_which_agent_made_it(does: Call) -> None:
    item = (await does("create_work", title="a"))["id"]
    await does("comment_on_work", id=item, body="mine", agent="ada")
    [said] = (await does("get_work", id=item))["comments"]
    assert (said["by"], said["agent"], said["body"]) == ("test", "ada", "mine")
