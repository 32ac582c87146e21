"""Work of other trackers, in the shapes that their files have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from undercroft.errors import InvalidInput
from undercroft.work.models import Item
from undercroft.work.service import Work


def issue(name: str, **fields: Any) -> dict[str, Any]:
    """An issue of beads."""
    return {"id": name, "title": name, "status": "open", "priority": 2, "issue_type": "task"} | (
        fields
    )


def needs(other: str, kind: str = "blocks") -> dict[str, Any]:
    return {"issue_id": "x", "depends_on_id": other, "type": kind}


def told(report: Any) -> str:
    return "\n".join(report.notes or ())


async def shown(work: Work, ref: str) -> Item:
    found = (await work.query(text=ref)).items
    items = [await work.get(one.id) for one in found]
    return next(one for one in items if one.external_ref == ref)


def lines(*values: Any) -> str:
    return "\n".join(map(json.dumps, values))


async def test_what_beads_says_more_of_an_issue_stands_in_its_description(work: Work) -> None:
    text = lines(
        {"_type": "memory", "key": "k", "value": "v"},
        issue(
            "bd-1",
            description="first",
            design="drawn",
            notes="noted",
            acceptance_criteria="## Goals\n- [x] done\n2. **bold** text",
            external_ref="gh-9",
            estimated_minutes=90,
            metadata="{}",
            due_at="2031-02-03T04:05:06+02:00",
            created_at="2025-12-27T20:02:43.035160123-06:00",
            created_by="ada",
            updated_at="last week",
            assignee="bob",
            close_reason="Done: all",
            status="closed",
            closed_at="2026-01-01T00:00:00Z",
            content_hash="ab",
        ),
        issue(
            "bd-2", status="open", closed_at="2026-01-01T00:00:00Z", acceptance_criteria="a\\n- b"
        ),
    )
    report = await work.import_text("\ufeff" + text.replace("\n", "\r\n"))
    assert report.items == 2
    assert "memories of beads are no work and were left out: k" in told(report)
    assert "times that cannot be read: in the description: beads:bd-1 last week" in told(report)
    one = await shown(work, "beads:bd-1")
    assert one.description == (
        "first\n\n## Design\ndrawn\n\n## Notes\nnoted\n\n## From beads\n"
        "- external_ref: gh-9\n- estimated_minutes: 90\n- updated_at: last week"
    )
    assert one.acceptance == [
        {"text": "## Goals", "met": False},
        {"text": "done", "met": True},
        {"text": "**bold** text", "met": False},
    ]
    assert (one.assignee, one.created_by, one.outcome) == ("bob", "ada", "Done: all")
    assert one.created_at.isoformat() == "2025-12-28T02:02:43.035160+00:00"
    assert one.due is not None
    assert one.due.isoformat() == "2031-02-03T02:05:06+00:00"
    two = await shown(work, "beads:bd-2")
    assert (two.status, len(two.acceptance or ())) == ("pending", 2)


async def test_every_link_of_beads_comes_over_or_is_told(work: Work) -> None:
    text = lines(
        issue("e", issue_type="epic"),
        issue("f", issue_type="molecule"),
        issue("e.1", dependencies=[]),
        issue("t", dependencies=[needs("e", "parent-child"), needs("f", "parent-child")]),
        issue(
            "u", parent="f", dependencies=[needs("t", "waits-for"), needs("t", "discovered-from")]
        ),
        issue("v", dependencies=[needs("t", "relates-to"), needs("u", "duplicates")]),
        issue("w", dependencies=[needs("t", "supersedes"), needs("external:x:1", "tracks")]),
        issue("x", dependencies=[{"id": "w", "title": "w", "dependency_type": "blocks"}]),
        issue("y", dependencies=[needs("gone"), needs("y", "parent-child")]),
        {"id": "z", "title": "z", "type": "bug", "priority": "P1", "status": "open", "deps": ["x"]},
        issue("q", dependencies=[needs("r", "parent-child")]),
        issue("r", dependencies=[needs("q", "parent-child")]),
    )
    report = await work.import_text(text)
    exported = [json.loads(line) for line in await work.export()]
    names = {one["id"]: one["title"] for one in exported if one["type"] == "item"}
    parents = {
        one["title"]: names[one["parent"]]
        for one in exported
        if one["type"] == "item" and one["parent"]
    }
    assert parents in (
        {"e.1": "e", "t": "e", "u": "f", "q": "r"},
        {"e.1": "e", "t": "e", "u": "f", "r": "q"},
    )
    links = {
        (frozenset if one["link"] == "relates" else tuple)(
            (names[one["source"]], one["link"], names[one["target"]])
        )
        for one in exported
        if one["type"] == "link"
    }
    assert links == {
        frozenset(("t", "relates", "f")),
        ("t", "blocks", "u"),
        ("u", "discovered_from", "t"),
        frozenset(("v", "relates", "t")),
        ("v", "duplicates", "u"),
        frozenset(("w", "relates", "t")),
        ("w", "blocks", "x"),
        ("x", "blocks", "z"),
    }
    for what in (
        "links 'waits-for' became 'blocks': beads:u t",
        "links 'supersedes' became 'relates': beads:w t",
        "has several parents: to the others it is related: beads:t f",
        "links of what is neither in the file nor here: beads:w relates beads:external:x:1",
        "items that are each other's parents: one of them has none: beads:y, ",
    ):
        assert what in told(report)


async def test_a_status_of_beads_keeps_its_meaning(work: Work) -> None:
    text = lines(
        *(
            issue(status, status=status)
            for status in ("open", "in_progress", "hooked", "deferred", "pinned", "done", "brewing")
        ),
        issue("blocked", status="blocked"),
        issue("waits", status="blocked", dependencies=[needs("open")]),
        issue("later", defer_until="2999-01-01T00:00:00Z"),
        issue("said", issue_type="message"),
        issue("passing", ephemeral=True),
        issue("gone", status="tombstone"),
        issue("child", parent="done"),
    )
    report = await work.import_text(
        json.dumps({"schema_version": 1, "data": json.loads(f"[{text.replace(chr(10), ',')}]")})
    )
    found = {one.title: one for one in (await work.query(limit=50)).items}
    assert {name: one.status for name, one in found.items()} == {
        "open": "pending",
        "in_progress": "in_progress",
        "hooked": "in_progress",
        "deferred": "deferred",
        "pinned": "deferred",
        "done": "pending",
        "brewing": "pending",
        "blocked": "deferred",
        "waits": "pending",
        "later": "deferred",
        "said": "deferred",
        "passing": "deferred",
        "child": "pending",
    }
    assert {name for name, one in found.items() if name in (one.labels or ())} == {
        *("blocked", "pinned", "brewing")
    }
    assert report.reopened == 1
    for what in (
        "deleted in beads and left out: gone",
        "the status 'brewing' is none here: pending, and a label: beads:brewing",
        "no work to start (a template, a message, …), so deferred: beads:said, beads:passing",
    ):
        assert what in told(report)


async def test_the_parts_of_a_task_of_task_master_come_over(work: Work) -> None:
    long = "x" * 2_001
    file = {
        "master": {
            "tasks": [
                {
                    "id": "1",
                    "title": "T",
                    "description": "d",
                    "details": "how",
                    "testStrategy": long,
                    "status": "blocked",
                    "priority": "high",
                    "complexity": 7,
                    "assignees": ["ada"],
                    "updatedAt": "2025-08-02T20:13:26",
                    "dependencies": [],
                    "subtasks": [
                        {"id": 1, "title": "s1", "status": "done", "parentId": "undefined"},
                        {
                            "id": "1.2",
                            "title": "s2",
                            "status": "review",
                            "dependencies": [1, "2.1", 3],
                            "acceptanceCriteria": "- a\n- b",
                            "testStrategy": "run it",
                            "priority": "low",
                        },
                        {"id": 4, "title": "s4", "status": "paused", "dependencies": ["1", "1.2"]},
                    ],
                },
                {
                    "id": 2,
                    "title": "U",
                    "status": "completed",
                    "subtasks": [{"id": 1, "title": "u"}],
                },
                {"id": 3, "title": "V", "status": "cancelled", "dependencies": [2, 99]},
            ],
            "metadata": {"created": "2025-08-02T20:13:26Z"},
        },
        "feature-x": {"tasks": [{"id": 1, "title": "X", "status": "pending", "subtasks": []}]},
        "tag": "master",
        "_rawTaggedData": {"master": {}},
    }
    report = await work.import_text(json.dumps(file))
    assert (report.items, report.links, report.reopened) == (8, 6, 1)
    assert "neither in the file nor here: taskmaster:master/99 blocks" in told(report)
    assert "the status 'paused' is none here: pending, and a label" in told(report)
    one = await shown(work, "taskmaster:master/1")
    assert one.description == (
        f"d\n\n## Details\nhow\n\n## Test strategy\n{long}\n\n## From taskmaster\n"
        '- complexity: 7\n- assignees: ["ada"]'
    )
    assert (one.status, one.labels, one.priority) == ("deferred", ["blocked"], 1)
    assert one.updated_at.isoformat() == "2025-08-02T20:13:26+00:00"
    two = await shown(work, "taskmaster:master/1.2")
    assert (two.kind, two.status, two.priority) == ("step", "in_review", 3)
    assert [point["text"] for point in two.acceptance or ()] == ["a", "b", "run it"]
    assert len(two.links or ()) == 4
    assert (await shown(work, "taskmaster:master/1.4")).priority == 1
    assert (await shown(work, "taskmaster:feature-x/1")).labels == ["feature-x"]


GITHUB = {
    "number": 1,
    "title": "One",
    "state": "OPEN",
    "url": "https://github.com/o/n/issues/1",
    "author": {"login": "ada"},
    "labels": [{"name": "priority/P1"}, {"name": "type: epic"}],
    "assignees": [{"login": "bob"}, {"login": "eve"}],
    "milestone": {"title": "v1", "dueOn": None, "number": 3, "description": ""},
    "comments": [{"author": {"login": "bob"}, "body": "so", "createdAt": "2025-01-01T00:00:00Z"}],
    "projectItems": [{"title": "Board"}],
    "subIssues": {"nodes": [{"number": 2}]},
}
SHAPES = [
    GITHUB,
    {
        "number": 2,
        "title": "Two",
        "state": "closed",
        "state_reason": "duplicate",
        "url": "https://api.github.com/repos/o/n/issues/2",
        "user": {"login": "ada"},
        "labels": ["p0", "task"],
        "body": None,
        "comments": 3,
        "blockedBy": {"nodes": [{"number": 3}]},
    },
    {
        "number": 3,
        "title": "Three",
        "state": "open",
        "repository_url": "https://api.github.com/repos/o/n",
        "author": "ada",
        "assignees": ["bob"],
        "labels": {"nodes": [{"name": "severity: low"}]},
        "type": {"name": "Bug"},
        "parent_issue_url": "https://api.github.com/repos/o/n/issues/1",
        "comments": {"totalCount": 1, "nodes": [{"author": None, "body": "x" * 60_000}]},
    },
    {"number": 4, "title": "A change", "url": "https://github.com/o/n/pull/4", "state": "MERGED"},
    {"number": 5, "title": "No place", "closedAt": "2025-01-01T00:00:00Z"},
]


async def test_issues_of_github_come_over_in_all_their_shapes(work: Work) -> None:
    report = await work.import_text(json.dumps(SHAPES))
    assert (report.items, report.links, report.comments) == (5, 1, 3)
    one = await shown(work, "github:o/n#1")
    assert (one.kind, one.priority, one.created_by, one.assignee) == ("epic", 1, "ada", "bob")
    assert one.description == '## From github\n- assignees: ["bob", "eve"]'
    assert (one.parent or "").startswith("epic:")
    two = await shown(work, "github:o/n#2")
    assert (two.kind, two.status, two.priority) == ("task", "cancelled", 0)
    assert two.parent == f"epic:{one.id}"
    three = await shown(work, "github:o/n#3")
    assert (three.kind, three.priority, three.assignee) == ("issue", 3, "bob")
    said = [json.loads(line) for line in await work.export()]
    long = [len(line["body"]) for line in said if line["type"] == "comment" and "x" in line["body"]]
    assert long == [50_000, 10_000]
    assert three.parent == f"epic:{one.id}"
    assert (await shown(work, "github:#5")).status == "completed"
    for what in (
        "pull requests were left out: github:o/n#4",
        "comments are only counted in the file: `gh … --json …,comments` has them: github:o/n#2",
        "the field 'projectItems' has no place here and was left out: github:o/n#1",
        "does not name its repository: add url to gh's --json before importing more: github:#5",
    ):
        assert what in told(report)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"data": {"repository": {"issues": {"nodes": [GITHUB]}}}}),
        json.dumps({"data": {"search": {"edges": [{"node": GITHUB}]}}}),
        json.dumps({"total_count": 1, "items": [GITHUB]}),
        json.dumps({"repo": "o/n", "labels": [], "issues": [GITHUB], "pulls": []}),
        json.dumps([[GITHUB], []]),
        json.dumps([GITHUB], indent=2) + json.dumps([]),
        json.dumps(GITHUB),
    ],
)
async def test_what_github_puts_around_its_issues_is_taken_off(work: Work, text: str) -> None:
    assert (await work.import_text(text)).items == 2


async def test_what_does_not_fit_is_told_and_not_lost(work: Work) -> None:
    labels = [f"l{number}" for number in range(101)] + ["m" * 101]
    text = lines(
        issue("a", title="t" * 501, labels=labels, acceptance_criteria="c" * 2_001),
        issue("b", title=" ", assignee="n" * 201),
        issue("c", title="nul \0 and half \ud83d"),
        issue("c", title="again"),
    )
    report = await work.import_text(text)
    assert report.items == 3
    one = await shown(work, "beads:a")
    assert (len(one.title), len(one.labels or ())) == (500, 100)
    for whole in ("t" * 501, "c" * 2_001, "m" * 101, "l100"):
        assert whole in (one.description or "")
    two = await shown(work, "beads:b")
    assert (two.title, two.assignee) == ("(without a title)", None)
    assert "n" * 201 in (two.description or "")
    assert (await shown(work, "beads:c")).title == "again"
    for what in ("titles over 500", "labels that", "criteria that", "has no title", "assignees"):
        assert what in told(report)
    assert "there twice in the file: the last one counts: beads:c" in told(report)


async def test_a_newer_file_adds_what_is_new_and_tells_what_it_left(work: Work) -> None:
    said = {"author": "ada", "text": "one", "created_at": "2025-01-01T00:00:00Z"}
    first = [
        issue("a", comments=[said]),
        issue("b", dependencies=[needs("a")]),
        issue("top", issue_type="epic"),
        issue("gone"),
    ]
    assert (await work.import_text(lines(*first))).items == 4
    ids = {one.title: one for one in (await work.query()).items}
    await work.link(ids["a"].id, "blocks", ids["b"].id, remove=True)
    await work.finish(ids["top"].id)
    await work.delete(ids["gone"].id, ids["gone"].version)
    first[0]["comments"].append(said | {"text": "two"})
    first[0]["status"] = "closed"
    newer = [
        *first,
        issue("c", parent="top", dependencies=[needs("a")]),
        issue("d", parent="gone"),
        issue("e", parent="a", status="closed"),
    ]
    report = await work.import_text(lines(*newer))
    assert (report.items, report.links, report.comments, report.known) == (3, 1, 1, 4)
    assert [one["body"] for one in (await work.get(ids["a"].id)).comments or ()] == ["one", "two"]
    assert (await shown(work, "beads:c")).parent is None
    assert (await shown(work, "beads:e")).parent == f"task:{ids['a'].id}"
    for what in (
        "known with another status, and left as it is: beads:a (pending here, completed in the fil",
        "beads:top (completed here, pending in the file)",
        "deleted here, and left so: beads:gone",
        "without its parent, which is closed or deleted here: beads:c, beads:d",
    ):
        assert what in told(report)
    again = await work.import_text(lines(*newer))
    assert (again.items, again.links, again.comments, again.known) == (0, 0, 0, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"id": "a", "title": "x", "issue_type": "task"}\n\n{"id": "b",\n', "line 3: Expecting"),
        ('{"id": "a"}\n<<<<<<< HEAD\n{"id": "b"}\n', "line 2 is a mark of a git conflict"),
        ('[{"number": 1,\n "title": }]', "line 2 column 11"),
        ('[{"number": 1, "title": "x"}, {"number": 2}]', "entry 2: .*'title' is missing"),
        ('[{"number": 1, "title": "x"}, 5]', "entry 2: GitHub writes an object here"),
        ('{"tasks": [{"id": 1, "title": "x"}, {}]}', "task 2 of master: .*'id' is missing"),
        ('{"issue_type": "task", "title": "x"}\n', "the file: .*'id' is missing"),
        ('{"type": "item", "id": 5}\n{"type": "kind"}', "line 1: .*id is no text"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
async def test_a_bad_line_is_named_and_nothing_is_imported(
    work: Work, text: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        await work.import_text(text)
    assert (await work.query()).items == []
