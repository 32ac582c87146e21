"""Work of other trackers as lines of ours: beads, Task-master, GitHub.

Each reader answers items whose `ref` stands for an id, with `parent` and the ends of links as such
refs; `importing` gives them ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Line = dict[str, Any]
Json = Mapping[str, Any]

_BEADS_STATUS = {
    "open": "pending",
    "in_progress": "in_progress",
    "blocked": "pending",
    "deferred": "deferred",
    "closed": "completed",
    "done": "completed",
}
_BEADS_KIND = {"epic": "epic", "task": "task", "chore": "task", "bug": "issue", "feature": "issue"}
_BEADS_LINK = {"blocks": "blocks", "related": "relates", "discovered-from": "discovered_from"}
_MASTER_STATUS = {
    "pending": "pending",
    "in-progress": "in_progress",
    "done": "completed",
    "review": "in_review",
    "deferred": "deferred",
    "cancelled": "cancelled",
}
_PRIORITY = {"critical": 0, "high": 1, "medium": 2, "low": 3}
TITLE, LABEL = 500, 100


def from_beads(issues: Iterable[Json]) -> Iterator[Line]:
    """Beads' JSONL, an issue a line (github.com/steveyegge/beads: `bd export`)."""
    for issue in issues:
        if issue.get("status") == "tombstone":
            continue
        kind = str(issue.get("issue_type", "task"))
        links = [one for one in issue.get("dependencies") or [] if isinstance(one, Mapping)]
        parents = [one for one in links if one.get("type") == "parent-child"]
        ref = f"beads:{issue['id']}"
        texts = {"Design": issue.get("design"), "Notes": issue.get("notes")}
        more = [f"## {name}\n{text}" for name, text in texts.items() if text]
        criteria = str(issue.get("acceptance_criteria") or "").splitlines()
        yield {
            "type": "item",
            "ref": ref,
            "parent": f"beads:{parents[0]['depends_on_id']}" if parents else None,
            "kind": _BEADS_KIND.get(kind, "task"),
            "title": _title(issue),
            "description": "\n\n".join([str(issue.get("description") or ""), *more]).strip(),
            "status": _BEADS_STATUS.get(str(issue.get("status")), "pending"),
            "priority": _bounded(issue.get("priority")),
            "labels": _labels([*(issue.get("labels") or []), *([] if kind == "task" else [kind])]),
            "assignee": issue.get("assignee") or None,
            "acceptance": [{"text": t.strip("-* ")[:2_000], "met": False} for t in criteria if t],
            "outcome": str(issue.get("close_reason") or ""),
            **_times(issue),
        }
        for one in links:
            yield from _beads_link(ref, one)
        for said in issue.get("comments") or []:
            if isinstance(said, Mapping) and said.get("text"):
                yield _comment(ref, said["text"], said.get("author"), said.get("created_at"))


def _beads_link(ref: str, one: Json) -> Iterator[Line]:
    kind = _BEADS_LINK.get(str(one.get("type")))
    if kind is None:
        return
    other = f"beads:{one.get('depends_on_id')}"
    ends = (other, ref) if kind == "blocks" else (ref, other)
    yield {"type": "link", "source": ends[0], "link": kind, "target": ends[1]}


def from_taskmaster(document: Json) -> Iterator[Line]:
    """Task-master's tasks.json (github.com/eyaltoledano/claude-task-master), tagged or not."""
    if isinstance(document.get("tasks"), list):
        document = {"master": document}
    for tag, one in document.items():
        tasks = one.get("tasks") if isinstance(one, Mapping) else None
        for task in tasks or []:
            yield from _master_task(f"taskmaster:{tag}/", task, "", "task")


def _master_task(tag: str, task: Json, above: str, kind: str) -> Iterator[Line]:
    own = f"{above}.{task['id']}" if above else str(task["id"])
    status = str(task.get("status", "pending"))
    texts = [str(task.get("description") or ""), str(task.get("details") or "")]
    strategy = str(task.get("testStrategy") or "")
    yield {
        "type": "item",
        "ref": tag + own,
        "parent": tag + above if above else None,
        "kind": kind,
        "title": _title(task),
        "description": "\n\n".join(filter(None, texts)),
        "status": _MASTER_STATUS.get(status, "pending"),
        "priority": _PRIORITY.get(str(task.get("priority")), 2),
        "labels": [],
        "assignee": task.get("assignee") or None,
        "acceptance": [{"text": strategy[:2_000], "met": False}] if strategy else [],
    }
    for needed in task.get("dependencies") or []:
        # Within a subtask a bare number is a sibling.
        sibling = above and "." not in str(needed)
        source = f"{above}.{needed}" if sibling else str(needed)
        yield {"type": "link", "source": tag + source, "link": "blocks", "target": tag + own}
    for child in task.get("subtasks") or []:
        yield from _master_task(tag, child, own, "step")


def from_github(issues: Iterable[Json]) -> Iterator[Line]:
    """Issues as GitHub's API or `gh issue list --json` has them; milestones become epics."""
    milestones: set[str] = set()
    for issue in issues:
        if "pull_request" in issue:
            continue
        url = str(issue.get("html_url") or issue.get("url") or "")
        repository = "/".join(url.split("/")[-4:-2]) if url.count("/") > 3 else ""  # noqa: PLR2004 - https://host/owner/name/issues/1
        milestone = issue.get("milestone") or {}
        above = f"github:{repository}/{milestone['title']}"[:200] if milestone.get("title") else ""
        if above and above not in milestones:
            milestones.add(above)
            yield _milestone(above, milestone)
        ref = f"github:{repository}#{issue['number']}"
        yield {
            "type": "item",
            "ref": ref,
            "parent": above or None,
            "kind": "issue",
            "title": _title(issue),
            "description": str(issue.get("body") or ""),
            "status": _github_status(issue),
            "priority": 2,
            "labels": _labels(issue.get("labels") or []),
            "assignee": _login(issue),
            **_times(issue),
        }
        said = issue.get("comments")
        for one in said if isinstance(said, list) else []:
            by = (one.get("author") or one.get("user") or {}).get("login")
            if one.get("body"):
                yield _comment(ref, one["body"], by, one.get("createdAt") or one.get("created_at"))


def _milestone(ref: str, milestone: Json) -> Line:
    due = milestone.get("due_on") or milestone.get("dueOn")
    return {
        "type": "item",
        "ref": ref,
        "parent": None,
        "kind": "epic",
        "title": _title(milestone),
        "description": str(milestone.get("description") or ""),
        "status": "completed" if milestone.get("state") == "closed" else "pending",
        **({"due": due} if due else {}),
    }


def _github_status(issue: Json) -> str:
    if str(issue.get("state", "open")).lower() == "open":
        return "pending"
    reason = str(issue.get("state_reason") or issue.get("stateReason") or "").lower()
    return "cancelled" if reason == "not_planned" else "completed"


def _login(issue: Json) -> str | None:
    people = [issue.get("assignee"), *(issue.get("assignees") or [])]
    return next((one["login"] for one in people if one and one.get("login")), None)


def _title(one: Json) -> str:
    return str(one.get("title") or "(without a title)")[:TITLE]


def _labels(labels: Sequence[Any]) -> list[str]:
    names = (one.get("name", "") if isinstance(one, Mapping) else one for one in labels)
    return list(dict.fromkeys(str(name)[:LABEL] for name in names if name))


def _bounded(priority: Any) -> int:
    return min(max(priority, 0), 4) if isinstance(priority, int) else 2


def _times(one: Json) -> Line:
    found = {}
    for name, other in (("created_at", "createdAt"), ("closed_at", "closedAt")):
        if value := one.get(name) or one.get(other):
            found[name] = str(value)
    return found


def _comment(item: str, body: Any, by: Any, at: Any) -> Line:
    said = {"type": "comment", "item": item, "body": str(body)[:50_000]}
    return said | ({"created_by": str(by)} if by else {}) | ({"created_at": str(at)} if at else {})
