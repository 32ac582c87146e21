"""Samples of what other trackers write, and what the tests of their import share."""

from __future__ import annotations

import json
from typing import Any

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


TOLD = lines(
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
    issue("bd-2", status="open", closed_at="2026-01-01T00:00:00Z", acceptance_criteria="a\\n- b"),
)
LINKED = lines(
    issue("e", issue_type="epic"),
    issue("f", issue_type="molecule"),
    issue("e.1", dependencies=[]),
    issue("t", dependencies=[needs("e", "parent-child"), needs("f", "parent-child")]),
    issue("u", parent="f", dependencies=[needs("t", "waits-for"), needs("t", "discovered-from")]),
    issue("v", dependencies=[needs("t", "relates-to"), needs("u", "duplicates")]),
    issue("w", dependencies=[needs("t", "supersedes"), needs("external:x:1", "tracks")]),
    issue("x", dependencies=[{"id": "w", "title": "w", "dependency_type": "blocks"}]),
    issue("y", dependencies=[needs("gone"), needs("y", "parent-child")]),
    {"id": "z", "title": "z", "type": "bug", "priority": "P1", "status": "open", "deps": ["x"]},
    issue("q", dependencies=[needs("r", "parent-child")]),
    issue("r", dependencies=[needs("q", "parent-child")]),
)
STATUSES = lines(
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
LONG = "x" * 2_001
MASTER = {
    "master": {
        "tasks": [
            {
                "id": "1",
                "title": "T",
                "description": "d",
                "details": "how",
                "testStrategy": LONG,
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
                    {"id": 4, "title": "s4", "status": "paused", "dependencies": ["1,1.2"]},
                    {"id": 4, "title": "s5", "dependencies": [{"taskId": 3}]},
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
