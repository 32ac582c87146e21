"""Task-master's tasks.json (github.com/eyaltoledano/claude-task-master), flat or with tags."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from undercroft.work.foreign.drafts import CRITERION, Json, Line, Record, each, item, note

_STATUS = {
    "pending": "pending",
    "in-progress": "in_progress",
    "done": "completed",
    "completed": "completed",
    "review": "in_review",
    "deferred": "deferred",
    "blocked": "deferred",
    "cancelled": "cancelled",
}
_PRIORITY = {"critical": 0, "urgent": 0, "high": 1, "medium": 2, "low": 3}
_OWN = {
    *("id", "title", "name", "description", "details", "status", "priority", "dependencies"),
    *("subtasks", "testStrategy", "acceptanceCriteria", "assignee", "createdAt", "created"),
    *("updatedAt", "modified", "completedAt", "parentTaskId", "parentId", "parentTask"),
    "isSubtask",
}


def lines(records: Sequence[Record]) -> Iterator[Line]:
    """The tasks of every tag, their subtasks beneath; a tag but `master` is a label too."""
    for where, document in records:
        flat = isinstance(document, Mapping) and isinstance(document.get("tasks"), list)
        tags = {"master": document} if flat else document
        for tag, one in tags.items():
            tasks = one.get("tasks") if isinstance(one, Mapping) else None
            if not isinstance(tasks, list):
                continue
            named = [(f"{where}, task {n} of {tag}", task) for n, task in enumerate(tasks, 1)]
            yield from each("Task-master", named, partial(_task, tag=tag))


def _task(task: Json, tag: str, above: str = "", siblings: Collection[str] = ()) -> Iterator[Line]:
    own = _within(above, str(task["id"]))
    ref = f"taskmaster:{tag}/"
    status = str(task.get("status") or "pending")
    needed = _names(task.get("dependencies") or [])
    waits = status == "blocked" and needed
    strategy = str(task.get("testStrategy") or "")
    criteria = str(task.get("acceptanceCriteria") or "")
    # One criterion, however many lines it has.
    short = " ".join(strategy.split()) if len(strategy) <= CRITERION else ""
    if status not in _STATUS:
        yield note(f"the status {status!r} is none here: pending, and a label", ref + own)
    yield from item(
        {
            "ref": ref + own,
            "parent": ref + above if above else None,
            "kind": "step" if above else "task",
            "title": task.get("title") or task.get("name"),
            "description": task.get("description"),
            "status": "pending" if waits else _STATUS.get(status, "pending"),
            "priority": _PRIORITY.get(str(task.get("priority")), 2),
            "labels": [*([tag] if tag != "master" else []), *_marks(status, waits=bool(waits))],
            "assignee": task.get("assignee"),
            "acceptance": "\n".join(filter(None, (criteria, short))),
            "created_at": task.get("createdAt") or task.get("created"),
            "updated_at": task.get("updatedAt") or task.get("modified"),
            "closed_at": task.get("completedAt"),
        },
        {"Details": task.get("details"), "Test strategy": "" if short == strategy else strategy},
        {name: fact for name, fact in task.items() if name not in _OWN},
    )
    for one in needed:
        source = _needed(above, one, siblings)
        yield {"type": "link", "source": ref + source, "link": "blocks", "target": ref + own}
    children = task.get("subtasks") or []
    names = [_within(own, str(child["id"])) for child in children]
    for child in children:
        heir = {"priority": task.get("priority"), **child}
        yield from _task(heir, tag, own, names)


def _marks(status: str, *, waits: bool) -> list[str]:
    return [] if waits or (status in _STATUS and status != "blocked") else [status]


def _within(above: str, name: str) -> str:
    """The id of a subtask is its number, and sometimes the whole already."""
    return name if not above or name.startswith(f"{above}.") else f"{above}.{name}"


def _names(given: Sequence[Any]) -> list[str]:
    """Ids, also of "1.1,1.2" and {"taskId": …}."""
    plain = (one.get("taskId") or one["id"] if isinstance(one, Mapping) else one for one in given)
    return [name.strip() for one in plain for name in str(one).split(",") if name.strip()]


def _needed(above: str, given: str, siblings: Collection[str]) -> str:
    """What a subtask needs is a sibling where there is one of that number."""
    sibling = _within(above, given)
    return sibling if sibling in siblings else given
