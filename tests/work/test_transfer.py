"""Work out and in again, the same byte for byte; and out of other trackers."""

from __future__ import annotations

import json

import pytest

from undercroft.app import App
from undercroft.errors import Conflict, InvalidInput
from undercroft.work.service import Work

BEADS = [
    {"id": "bd-1", "title": "Epic", "status": "open", "priority": 1, "issue_type": "epic"},
    {
        "id": "bd-2",
        "title": "Crash",
        "status": "open",
        "priority": 0,
        "issue_type": "bug",
        "description": "It crashes",
        "acceptance_criteria": "- no crash\n- a test",
        "created_at": "2025-11-01T10:00:00Z",
        "labels": ["ui"],
        "assignee": "ada",
        "dependencies": [
            {"issue_id": "bd-2", "depends_on_id": "bd-1", "type": "parent-child"},
            {"issue_id": "bd-2", "depends_on_id": "bd-3", "type": "blocks"},
            {"issue_id": "bd-2", "depends_on_id": "bd-9", "type": "related"},
        ],
        "comments": [{"author": "bob", "text": "seen", "created_at": "2025-11-02T10:00:00Z"}],
    },
    {
        "id": "bd-3",
        "title": "Log",
        "status": "in_progress",
        "priority": 2,
        "issue_type": "task",
        "dependencies": [],
    },
    {"id": "bd-4", "title": "Gone", "status": "tombstone", "priority": 2, "issue_type": "task"},
]

MASTER = {
    "master": {
        "tasks": [
            {"id": 1, "title": "Set up", "status": "done", "priority": "high", "dependencies": []},
            {
                "id": 2,
                "title": "Build",
                "status": "done",
                "dependencies": [1],
                "testStrategy": "run it",
                "subtasks": [
                    {"id": 1, "title": "a", "status": "done", "dependencies": []},
                    {"id": 2, "title": "b", "status": "pending", "dependencies": [1]},
                ],
            },
            {"id": 3, "title": "Ship", "status": "pending", "dependencies": [2, 4]},
            {"id": 4, "title": "Tell", "status": "pending", "dependencies": [3]},
        ],
        "metadata": {"description": "x"},
    }
}

GITHUB = [
    {
        "number": 7,
        "title": "Slow",
        "body": "very",
        "state": "open",
        "labels": [{"name": "p"}],
        "html_url": "https://github.com/o/n/issues/7",
        "assignee": {"login": "ada"},
        "milestone": {"title": "v1", "due_on": "2030-01-01T00:00:00Z", "state": "open"},
    },
    {
        "number": 8,
        "title": "Won't",
        "state": "closed",
        "state_reason": "not_planned",
        "html_url": "https://github.com/o/n/issues/8",
        "closed_at": "2025-01-01T00:00:00Z",
    },
    {"number": 9, "title": "A change", "state": "open", "pull_request": {}},
]


async def test_everything_goes_out_and_comes_in_the_same(
    work: Work, make, move, app: App, project: str
) -> None:
    states = [
        {"status": "new", "category": "todo", "to": ["work"]},
        {"status": "work", "category": "doing", "to": ["end"]},
        {"status": "end", "category": "done", "to": []},
    ]
    await work.define_kind("bug", states)
    top = await make('Größe \u2028 \\ "x"', kind="epic", due="2030-05-01T10:00:00+02:00")
    step = await make(
        "step", top, kind="step", labels=["b", "a"], acceptance=["x"], code_links=["f:1-2"]
    )
    bug = await make("bug", top, kind="bug")
    gone, done = await make("gone", top), await make("done")
    await work.link(bug, "blocks", step)
    await work.link(done, "relates", step)
    await work.comment(bug, "a\nb")
    await move(bug, before=step)
    await work.delete(gone, 1)
    await work.finish(done, outcome="ok")
    await work.archive(done)
    await work.review(step, "propose", agent="ada", content="v", complexity=2.5)
    await work.review(step, "dispute", agent="bob", content="w", reasoning="no")
    lines = await work.export()
    assert [json.loads(line)["type"] for line in lines] == [
        *("kind", *["item"] * 5, "link", "link", "comment", "review", "round", "round", "dispute")
    ]
    other = f"{project}_other"
    await (await app.projects()).create(other)
    there = await app.work(other, "somebody else")
    report = await there.import_text("\n".join(lines))
    assert (report.items, report.links, report.comments, report.known) == (5, 2, 1, 0)
    assert await there.export() == lines
    again = await there.import_text("\n".join(lines))
    assert (again.items, again.known) == (0, 5)
    assert await there.export() == lines
    assert [one.id for one in await there.ready()] == [bug]


async def test_beads_are_taken_over_once(work: Work) -> None:
    text = "\n".join(map(json.dumps, BEADS))
    report = await work.import_text(text)
    assert (report.items, report.links, report.comments) == (3, 1, 1)
    assert (await work.import_text(text)).known == 3
    [found] = (await work.query(text="beads:bd-2")).items
    crash = await work.get(found.id)
    assert (crash.kind, crash.priority, crash.assignee) == ("issue", 0, "ada")
    assert crash.labels == ["ui", "bug"]
    assert [one["text"] for one in crash.acceptance or ()] == ["no crash", "a test"]
    assert (crash.blocked, crash.created_at.year) == (True, 2025)
    assert [one["body"] for one in crash.comments or ()] == ["seen"]
    plan = await work.get_plan()
    assert [(node.title, node.depth) for node in plan.items] == [
        *(("Epic", 0), ("Crash", 1), ("Log", 0))
    ]


async def test_task_masters_tasks_are_taken_over_without_their_circles(work: Work) -> None:
    report = await work.import_text(json.dumps(MASTER))
    assert (report.items, report.links, report.reopened) == (6, 4, 1)
    assert len(report.left_out or ()) == 1
    plan = await work.get_plan()
    shown = [(node.title, node.kind, node.status) for node in plan.items]
    assert shown[:4] == [
        ("Set up", "task", "completed"),
        ("Build", "task", "pending"),
        ("a", "step", "completed"),
        ("b", "step", "pending"),
    ]
    assert [one.title for one in await work.ready()] == ["Tell", "b"]


async def test_github_issues_are_taken_over_under_their_milestones(work: Work) -> None:
    report = await work.import_text(json.dumps(GITHUB))
    assert report.items == 3
    [slow] = (await work.query(text="github:o/n#7")).items
    shown = await work.get(slow.id)
    assert (shown.labels, shown.assignee, shown.kind) == (["p"], "ada", "issue")
    [wont] = (await work.query(text="github:o/n#8")).items
    assert wont.status == "cancelled"
    plan = await work.get_plan()
    assert [node.title for node in plan.items][:2] == ["v1", "Slow"]


async def test_what_is_no_such_text_is_refused_and_leaves_nothing(work: Work) -> None:
    for text, form in (
        ("", "auto"),
        ("{", "auto"),
        ("[1, 2]", "github"),
        ('{"a": 1}', "auto"),
        ('{"type": "item"}', "undercroft"),
        ("[]", "svn"),
        ('{"type": "spell"}', "undercroft"),
        ('{"type":"item","id":"w-aaaa0001","kind":"saga","title":"x","status":"new"}', "auto"),
        ('{"type":"item","id":"x","kind":"task","title":"x","status":"pending"}', "auto"),
    ):
        with pytest.raises(InvalidInput):
            await work.import_text(text, form)
    line = {"type": "item", "kind": "task", "title": "x", "status": "pending"}
    circle = [
        {**line, "id": "w-aaaa0001", "parent": "w-aaaa0002"},
        {**line, "id": "w-aaaa0002", "parent": "w-aaaa0001"},
    ]
    with pytest.raises(Conflict, match="each other's parents"):
        await work.import_text("\n".join(map(json.dumps, circle)))
    assert (await work.query()).items == []
