"""The timing room as tools: what an agent sends, and what it gets."""

from __future__ import annotations

from undercroft.app import App
from undercroft.mcp.call import Caller


async def test_the_whole_room_through_its_tools(call, project: str) -> None:
    item = (await call("create_work", project=project, title="Mend it"))["id"]
    begun = await call("start_timer", project=project, title="Mend it", item=item, kind="bug")
    assert begun["status"] == "running"
    paused = await call("stop_timer", project=project, timer=item, outcome="paused")
    assert paused["status"] == "paused"
    resumed = await call("start_timer", project=project, resume=begun["timer"])
    assert (resumed["timer"], resumed["status"]) == (begun["timer"], "running")
    done = await call("stop_timer", project=project, timer=begun["timer"], factors=["flaky tests"])
    assert done["status"] == "finished"
    kept = await call(
        "record_execution",
        project=project,
        title="Mend the other",
        minutes=30,
        kind="bug",
        own_estimate=120,
        started_at="2026-01-01T10:00:00Z",
        finished_at="2026-01-01T11:00:00Z",
    )
    assert kept["variance_percent"] == -75
    listed = await call("list_executions", project=project, item=item)
    assert [one["timer"] for one in listed["items"]] == [begun["timer"]]
    report = await call("get_estimation_report", project=project)
    assert [one["tasks"] for one in report["patterns"]] == [2]
    found = await call("get_recommended_estimate", project=project, title="Mend it", kind="bug")
    assert (found["basis"], found["tasks"], found["alike"]) == ("past", 2, 2)
    assert {one["title"] for one in found["nearest"]} == {"Mend it", "Mend the other"}
    assert "p80_minutes" not in found
    assert found["summary"].startswith("Half of such tasks take at most")


async def test_each_agent_is_corrected_by_its_own_past(app: App, project: str) -> None:
    async def ask(actor: str, tool: str, **arguments: object) -> dict:
        outcome = await app.boundary.call(
            tool, {"project": project, "title": "x", **arguments}, Caller(actor=actor)
        )
        assert not outcome.failed, outcome.text
        return outcome.body

    for own in range(20, 100, 10):
        await ask("slow", "record_execution", minutes=own * 2, own_estimate=own)
        await ask("quick", "record_execution", minutes=own / 4, own_estimate=own)
    slow = await ask("slow", "get_recommended_estimate", own_estimate=60)
    quick = await ask("quick", "get_recommended_estimate", own_estimate=60)
    assert (slow["p50_minutes"], quick["p50_minutes"]) == (120, 15)


async def test_a_repeated_call_with_its_key_is_counted_once(call, project: str) -> None:
    arguments = {"project": project, "title": "Once", "minutes": 10, "idempotency_key": "k"}
    first = await call("record_execution", **arguments)
    assert await call("record_execution", **arguments) == first
    assert len((await call("list_executions", project=project))["items"]) == 1


async def test_wrong_input_is_said_plainly(call, project: str) -> None:
    for tool, arguments, words in (
        ("stop_timer", {"timer": "nothing"}, "no open timer"),
        ("stop_timer", {"timer": "x", "outcome": "burnt"}, "outcome"),
        ("start_timer", {"title": "x" * 501}, "at most 500 characters"),
        ("start_timer", {"item": "w-0000"}, "no such work item"),
        ("record_execution", {"title": "x", "minutes": -5}, "in minutes"),
        ("record_execution", {"title": "x", "minutes": 5, "finished_at": "soon"}, "finished_at"),
        ("get_recommended_estimate", {"title": "x", "own_estimate": 1e12}, "in minutes"),
        ("list_executions", {"cursor": "zzz"}, "cursor"),
    ):
        answer = await call(tool, project=project, **arguments)
        assert answer["code"] in {"invalid_input", "not_found"}
        assert words in answer["message"]
