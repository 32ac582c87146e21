"""Work of Task-master and GitHub, and what holds for every import."""

from __future__ import annotations

import json

import pytest

from undercroft.errors import InvalidInput
from undercroft.work.service import Work

from .samples import GITHUB, LONG, MASTER, SHAPES, issue, lines, needs, shown, told


async def test_the_parts_of_a_task_of_task_master_come_over(work: Work) -> None:
    report = await work.import_text(json.dumps(MASTER))
    assert (report.items, report.links, report.reopened) == (9, 7, 1)
    assert "neither in the file nor here: taskmaster:master/99 blocks" in told(report)
    assert "the status 'paused' is none here: pending, and a label" in told(report)
    assert "has the number of another in the file: both were taken: taskmaster:master/1.4" in told(
        report
    )
    twin = await shown(work, "taskmaster:master/1.4 (2)")
    assert (twin.title, len(twin.links or ())) == ("s5", 1)
    one = await shown(work, "taskmaster:master/1")
    assert one.description == (
        f"d\n\n## Details\nhow\n\n## Test strategy\n{LONG}\n\n## From taskmaster\n"
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
        ('{"type": "kind", "name": "a"}\n{"type": "spell"}', "line 2: .*its type is none of kind"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
async def test_a_bad_line_is_named_and_nothing_is_imported(
    work: Work, text: str, says: str
) -> None:
    with pytest.raises(InvalidInput, match=says):
        await work.import_text(text)
    assert (await work.query()).items == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"id": 5}, "line 2: .*id: "),
        ({"title": ""}, "line 2: .*title: "),
        ({"priority": 9}, "line 2: .*priority: "),
        ({"labels": "a"}, "line 2: .*labels: "),
        ({"created_at": "yesterday"}, "line 2: .*created_at: "),
        ({"title": "\ud83d"}, "line 2: .*surrogates"),
        ({"kind": "saga"}, "w-aaaa0001: the kind 'saga' has no status 'pending'"),
        ({"status": "nope"}, "w-aaaa0001: the kind 'task' has no status 'nope'"),
    ],
)
async def test_a_line_of_ours_that_was_changed_by_hand_is_named(
    work: Work, changed: dict[str, object], says: str
) -> None:
    line = {"type": "item", "id": "w-aaaa0001", "kind": "task", "title": "x", "status": "pending"}
    with pytest.raises(InvalidInput, match=says):
        await work.import_text(lines({**line, "id": "w-aaaa0002"}, {**line, **changed}))
    assert (await work.query()).items == []
