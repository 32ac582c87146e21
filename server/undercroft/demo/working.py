"""Two agents and one plan: who claims, finishes; who comes late, is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.demo.script import Play

PLAN: list[dict[str, Any]] = [
    {
        "title": "Log in with a link",
        "kind": "epic",
        "children": [
            {"title": "Send the link", "key": "send", "priority": 1},
            {"title": "Take the link back", "key": "take", "blocked_by": ["send"]},
            {"title": "Say it in the README", "key": "say", "priority": 3},
        ],
    }
]


async def show_work(play: Play) -> None:
    """A plan, and two agents that want the same of it."""
    play.transcript.step("Work: a plan in one call, with what must come first")
    made = (await play.call("create_plan", items=PLAN))["ids"]
    ready = [one["id"] for one in (await play.call("ready_work"))["result"]]
    play.promise(
        ready == [made["send"], made["say"]],
        "what waits for something else is not offered",
    )
    play.transcript.step("Two agents ask for the best item at the same moment")
    ada, bob = await asyncio.gather(
        play.call("claim_work", agent="ada"), play.call("claim_work", agent="bob")
    )
    play.promise({ada["id"], bob["id"]} == set(ready), "each gets one, and never the same")
    await play.call("claim_work", id=ada["id"], agent="bob", refused="conflict")
    await play.call("finish_work", id=ada["id"], epoch=ada["epoch"] + 1, refused="conflict")
    play.promise(True, "what one holds, another can neither claim nor finish")  # noqa: FBT003 - `call` checked it
    for mine in (ada, bob):
        await play.call("finish_work", id=mine["id"], epoch=mine["epoch"])
    last = await play.call("claim_work", agent="bob")
    play.promise(last["id"] == made["take"], "what was waiting is ready by itself")
    await play.call("finish_work", id=last["id"], epoch=last["epoch"], outcome="It works.")
    await show_estimate(play, made)
    plan = await play.call("get_plan")
    play.promise(plan["items"][0]["progress"] == 100, "the epic is done to 100 %")  # noqa: PLR2004 - per cent


async def show_estimate(play: Play, made: Mapping[str, str]) -> None:
    """What was claimed and finished is what the next estimate rests on."""
    play.transcript.step("Time: the clocks of the claims are what the next estimate rests on")
    told = await play.call("get_recommended_estimate", title="Send the link", kind="task")
    near = {one["item"] for one in told["nearest"]}
    play.promise(
        near == {made["send"], made["take"], made["say"]} and told["tasks"] == len(near),
        "it names the tasks that it rests on",
    )
    play.promise("p95_minutes" not in told, "and tells no P95, for which three are too few")
