"""Beads' JSONL, an issue a line (github.com/gastownhall/beads: `bd export`, `.beads/issues.jsonl`).

Also what `bd list --json` and `bd show --json` write, with and without their envelope.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from undercroft.work.foreign.drafts import (
    Json,
    Line,
    Record,
    comment,
    each,
    item,
    moment,
    note,
    unwrapped,
)

_STATUS = {
    "open": "pending",
    "in_progress": "in_progress",
    "hooked": "in_progress",
    "review": "in_review",
    "in_review": "in_review",
    "blocked": "deferred",
    "deferred": "deferred",
    "pinned": "deferred",
    "closed": "completed",
    "done": "completed",
}
_KIND = {
    **dict.fromkeys(("epic", "molecule", "milestone", "convoy"), "epic"),
    **dict.fromkeys(("bug", "feature", "story"), "issue"),
}
_ASIDE = {"agent", "role", "rig", "slot", "message", "event", "gate"}
"""Types of records that nobody is to start."""
_LINK = {
    "blocks": "blocks",
    "conditional-blocks": "blocks",
    "waits-for": "blocks",
    "discovered-from": "discovered_from",
    "duplicates": "duplicates",
    "related": "relates",
    "relates-to": "relates",
}
_OWN = {
    *("id", "title", "description", "design", "notes", "status", "priority", "issue_type", "type"),
    *("labels", "dependencies", "deps", "comments", "assignee", "acceptance_criteria"),
    *("close_reason", "created_at", "created_by", "updated_at", "closed_at", "due_at", "parent"),
    *("_type", "schema_version", "content_hash", "source_repo", "source_repo_path"),
    *("compaction_level", "compacted_at", "compacted_at_commit", "original_size", "dependents"),
    *("dependency_count", "dependent_count", "comment_count", "epic_total_children"),
    *("epic_closed_children", "epic_closeable"),
}
"""Fields that have a place of ours, or say nothing of the work; the others are told as facts."""


def lines(records: Sequence[Record]) -> Iterator[Line]:
    """The issues with their links and comments; what is deleted, and memories, are left out."""
    found = unwrapped(records, _unwrapped)
    known = {str(one["id"]) for _, one in found if isinstance(one, dict) and "id" in one}
    yield from each("beads", found, partial(_issue, known=known))


def _unwrapped(value: Any) -> list[Any]:
    data = value.get("data") if isinstance(value, dict) and "schema_version" in value else None
    return [value] if data is None else data if isinstance(data, list) else [data]


def _issue(issue: Json, known: Collection[str]) -> Iterator[Line]:
    if issue.get("_type") == "memory":
        yield note("memories of beads are no work and were left out", issue.get("key"))
        return
    name = str(issue["id"])
    if issue.get("status") == "tombstone":
        yield note("deleted in beads and left out", name)
        return
    links = _links(issue)
    above = _above(issue, links, known)
    ref = f"beads:{name}"
    yield from _item(issue, ref, above, links)
    for one in links:
        yield from _link(ref, one, above)
    for said in issue.get("comments") or []:
        yield from comment(ref, said.get("text"), said.get("author"), said.get("created_at"))


def _item(issue: Json, ref: str, above: str, links: Sequence[Line]) -> Iterator[Line]:
    kind = str(issue.get("issue_type") or issue.get("type") or "task")
    status, marks = _status(issue, kind, links)
    if status == "deferred" and _is_aside(issue, kind):
        yield note("no work to start (a template, a message, …), so deferred", ref)
    if marks and marks[0] not in _STATUS:
        yield note(f"the status {marks[0]!r} is none here: {status}, and a label", ref)
    same = ("assignee", "created_at", "updated_at", "closed_at")
    yield from item(
        {
            "ref": ref,
            "parent": f"beads:{above}" if above else None,
            "kind": _KIND.get(kind, "task"),
            "title": issue["title"],
            "description": issue.get("description"),
            "status": status,
            "priority": _priority(issue.get("priority")),
            "labels": [*(issue.get("labels") or []), *([] if kind == "task" else [kind]), *marks],
            "acceptance": issue.get("acceptance_criteria"),
            "outcome": str(issue.get("close_reason") or ""),
            "due": issue.get("due_at"),
            **{field: issue.get(field) for field in same},
            **({"created_by": str(issue["created_by"])} if issue.get("created_by") else {}),
        },
        {"Design": issue.get("design"), "Notes": issue.get("notes")},
        {field: fact for field, fact in issue.items() if field not in _OWN},
    )


def _status(issue: Json, kind: str, links: Sequence[Line]) -> tuple[str, list[str]]:
    """What it is here, and labels of what that does not say."""
    given = str(issue.get("status") or "open")
    status = _STATUS.get(given, "completed" if issue.get("closed_at") else "pending")
    marks = [] if given in _STATUS and given not in ("blocked", "pinned") else [given]
    if given == "blocked" and any(_LINK.get(one["type"]) == "blocks" for one in links):
        status, marks = "pending", []  # It waits by its links.
    later = str(issue.get("defer_until") or "") > datetime.now(UTC).isoformat()
    aside = later or _is_aside(issue, kind)
    return "deferred" if status == "pending" and aside else status, marks


def _is_aside(issue: Json, kind: str) -> bool:
    return kind in _ASIDE or bool(issue.get("ephemeral") or issue.get("is_template"))


def _links(issue: Json) -> list[Line]:
    """Its dependencies in one form, each with the type and the other issue."""
    found = []
    for one in issue.get("dependencies") or issue.get("deps") or []:
        if isinstance(one, str):
            one = {"depends_on_id": one}  # noqa: PLW2901 - a bare id blocks
        other = str(one.get("depends_on_id") or one["id"])
        kind = str(one.get("type") or "") if "depends_on_id" in one else ""
        found.append({**one, "other": other, "type": kind or one.get("dependency_type", "blocks")})
    return found


def _above(issue: Json, links: Sequence[Line], known: Collection[str]) -> str:
    """Its parent: as it says, else by its dotted id, else the first; better one that is there."""
    named = [one["other"] for one in links if one["type"] == "parent-child"]
    dotted = str(issue["id"]).rpartition(".")[0]
    likely = [str(issue.get("parent") or ""), dotted if dotted in (named or known) else "", *named]
    likely = [name for name in likely if name]
    return next((name for name in likely if name in known), likely[0] if likely else "")


def _link(ref: str, one: Line, above: str) -> Iterator[Line]:
    kind, other = str(one["type"]), one["other"]
    if kind == "parent-child":
        if other == above:
            return
        yield note("has several parents: to the others it is related", f"{ref} {other}")
    elif kind not in _LINK or kind in ("conditional-blocks", "waits-for"):
        yield note(f"links {kind!r} became {_LINK.get(kind, 'relates')!r}", f"{ref} {other}")
    link = _LINK.get(kind, "relates")
    ends = (f"beads:{other}", ref) if link == "blocks" else (ref, f"beads:{other}")
    made = {"created_by": one.get("created_by"), "created_at": moment(one.get("created_at"))}
    made = {name: value for name, value in made.items() if value}
    yield {"type": "link", "source": ends[0], "link": link, "target": ends[1], **made}


def _priority(given: Any) -> int:
    """0 to 4, also as text and as "P1"."""
    digits = str(given).strip().lower().removeprefix("p")
    return min(max(int(digits), 0), 4) if digits.lstrip("-").isdigit() else 2
