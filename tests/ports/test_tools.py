"""The ports room as tools: of the right project, from the working folder, once for a key."""

from __future__ import annotations

from pathlib import Path

import pytest

from undercroft.app import App
from undercroft.mcp.call import Caller


@pytest.fixture
async def rooted(app: App, project: str, tmp_path: Path) -> Path:
    """The root of the project, a checkout."""
    (tmp_path / ".git").mkdir()
    await (await app.projects()).update(project, root=str(tmp_path))
    return tmp_path


async def test_an_agent_gets_the_port_of_its_worktree(app: App, project: str, rooted: Path) -> None:
    tree = rooted / "trees" / "fix"
    (tree / "src").mkdir(parents=True)
    (tree / ".git").write_text("gitdir: elsewhere")

    async def ask(folder: Path) -> dict:
        caller = Caller(actor="test", folder=folder)
        answer = await app.boundary.call("allocate_port", {"service": "web"}, caller)
        assert not answer.failed
        return answer.body

    here, there = await ask(rooted), await ask(tree / "src")
    assert here["project"] == there["project"] == project
    assert here["ports"]["web"] != there["ports"]["web"]
    assert await ask(tree) == there
    listed = (await app.boundary.call("list_ports", {}, Caller(actor="x", folder=tree))).body
    assert [(one["service"], one["worktree"]) for one in listed["items"]] in (
        [("web", str(rooted)), ("web", str(tree))],
        [("web", str(tree)), ("web", str(rooted))],
    )


async def test_several_services_and_json_text_are_taken(call, project: str) -> None:
    plain = await call("allocate_port", project=project, service=["web", "db"])
    assert list(plain["ports"]) == ["web", "db"]
    assert plain["env"]["DB_PORT"] == str(plain["ports"]["db"])
    one = await call("allocate_port", project=project, service="web")
    assert one["ports"]["web"] == plain["ports"]["web"]
    gone = await call("release_port", project=project, service=["web", "db"])
    assert gone["released"] == sorted(plain["ports"].values())


async def test_a_key_stands_for_one_project(app: App, call, project: str) -> None:
    other = f"{project}_other"
    await (await app.projects()).create(other)
    first = await call("reserve_ports", project=project, idempotency_key="k")
    assert await call("reserve_ports", project=project, idempotency_key="k") == first
    crossed = await call("reserve_ports", project=other, idempotency_key="k")
    assert crossed["code"] == "conflict"


async def test_a_project_that_is_none_is_said(call) -> None:
    answer = await call("allocate_port", project="nobody", service="web")
    assert answer["code"] == "not_found"
    assert "There is no project 'nobody'" in answer["message"]
    answer = await call("allocate_port", service="web")
    assert answer["code"] == "invalid_input"


async def test_the_whole_room_through_its_tools(call, project: str) -> None:
    made = await call("define_port_range", name="web", first_port=15600, last_port=15609)
    assert made["used"] == 0
    held = await call("reserve_ports", project=project, range="web", count=2, ttl=60)
    again = await call("reserve_ports", project=project, renew=held["reservation"], ttl=600)
    assert again["ports"] == held["ports"]
    free = await call("find_available_port", range="web", count=8)
    assert set(free["result"]) | set(held["ports"]) == set(range(15600, 15610))
    assert (await call("get_port", port=held["ports"][0]))["port"]["project"] == project
    await call("release_reservation", project=project, reservation=held["reservation"])
    await call("allocate_port", project=project, service="web", range="web")
    checked = await call("check_ports", project=project)
    assert checked["result"][0]["state"] == "silent"
    ranges = await call("list_port_ranges")
    assert [(one["name"], one["used"]) for one in ranges["result"]] == [("web", 1), ("default", 0)]
    assert await call("reclaim_ports", dry_run=True) == {"freed": [], "kept": []}
    overlapping = await call("define_port_range", name="more", first_port=15605, last_port=15700)
    assert overlapping["code"] == "conflict"
    assert "overlaps" in overlapping["message"]
