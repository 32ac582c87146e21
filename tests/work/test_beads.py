"""Work of beads, in the shapes that its files have."""

from __future__ import annotations

import json

from undercroft.work.service import Work

from .samples import LINKED, STATUSES, TOLD, shown, told


async def test_what_beads_says_more_of_an_issue_stands_in_its_description(work: Work) -> None:
    report = await work.import_text("\ufeff" + TOLD.replace("\n", "\r\n"))
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
        {"text": "2. **bold** text", "met": False},
    ]
    assert (one.assignee, one.created_by, one.outcome) == ("bob", "ada", "Done: all")
    assert one.created_at.isoformat() == "2025-12-28T02:02:43.035160+00:00"
    assert one.due is not None
    assert one.due.isoformat() == "2031-02-03T02:05:06+00:00"
    two = await shown(work, "beads:bd-2")
    assert (two.status, len(two.acceptance or ())) == ("pending", 2)


async def test_every_link_of_beads_comes_over_or_is_told(work: Work) -> None:
    report = await work.import_text(LINKED)
    exported = [json.loads(line) for line in await work.export()]
    names = {one["id"]: one["title"] for one in exported if one["type"] == "item"}
    parents = {
        one["title"]: names[one["parent"]]
        for one in exported
        if one["type"] == "item" and one["parent"]
    }
    assert parents == {"e.1": "e", "t": "e", "u": "f", "r": "q"}
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
    wrapped = {"schema_version": 1, "data": [json.loads(one) for one in STATUSES.split("\n")]}
    report = await work.import_text(json.dumps(wrapped))
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
        "opened again, since something beneath is open: beads:done",
        "the status 'brewing' is none here: pending, and a label: beads:brewing",
        "no work to start (a template, a message, …), so deferred: beads:said, beads:passing",
    ):
        assert what in told(report)
