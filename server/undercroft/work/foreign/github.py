"""Issues as GitHub's API (REST, search, GraphQL) and `gh issue list --json` have them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from undercroft.work.foreign.drafts import Json, Line, Record, comment, each, item, note, unwrapped

_PLACE = re.compile(r"/(?P<name>[^/]+/[^/]+)/(?:issues|pull|discussions)/(?P<number>\d+)")
_PRIORITY = re.compile(
    r"(?:(?:priority|prio|severity)\W*)(?P<word>[a-z]+|p?[0-4])\W*|p(?P<digit>[0-4])(?:\W.*)?"
)
_WORDS = {
    **dict.fromkeys(("critical", "urgent", "highest", "blocker"), 0),
    "high": 1,
    "medium": 2,
    "normal": 2,
    "low": 3,
    "lowest": 4,
}
_DROPPED = ("not_planned", "duplicate")
_OWN = {
    *("number", "title", "body", "state", "state_reason", "stateReason", "closed", "labels"),
    *("assignee", "assignees", "milestone", "comments", "user", "author", "type", "issueType"),
    *("created_at", "createdAt", "updated_at", "updatedAt", "closed_at", "closedAt", "parent"),
    *("subIssues", "blockedBy", "blocking", "pull_request", "repository", "url", "id", "node_id"),
    # What says nothing of the work.
    *("databaseId", "reactions", "reactionGroups", "locked", "active_lock_reason", "isPinned"),
    *("activeLockReason", "author_association", "authorAssociation", "closed_by", "closedBy"),
    *("performed_via_github_app", "draft", "score", "__typename", "sub_issues_summary"),
    *("subIssuesSummary", "issue_dependencies_summary", "isPullRequest", "commentsCount"),
    *("lastEditedAt", "editor", "bodyText", "bodyHTML", "fullDatabaseId", "resourcePath"),
    *("pinned_comment", "user_view_type", "closedByPullRequestsReferences", "text_matches"),
}


def lines(records: Sequence[Record]) -> Iterator[Line]:
    """The issues; milestones become epics, and pull requests are left out."""
    found = unwrapped(records, _unwrapped)
    above: dict[str, str] = {}
    for _, one in found:
        if isinstance(one, Mapping):
            above |= {_ref(sub, one): _ref(one) for sub in _nodes(one.get("subIssues"))}
    yield from each("GitHub", found, partial(_issue, above=above, milestones=set()))


def _unwrapped(value: Any) -> list[Any]:
    """The issues in what the APIs put around them."""
    if isinstance(value, list):
        return [inner for one in value for inner in _unwrapped(one)]
    if not isinstance(value, Mapping) or "number" in value:
        return [value]
    for name in ("issues", "items", "nodes", "data", "repository", "organization", "search"):
        if isinstance(value.get(name), list | Mapping):
            return _unwrapped(value[name])
    if isinstance(value.get("edges"), list):
        return [one.get("node") for one in value["edges"]]
    return [value]


def _issue(issue: Json, above: Mapping[str, str], milestones: set[str]) -> Iterator[Line]:
    ref = _ref(issue)
    if _is_pull(issue):
        yield note("pull requests were left out", ref)
        return
    group, milestone = _milestone(issue, ref)
    if group and group not in milestones:
        milestones.add(group)
        yield from item(milestone)
    parent = _parent(issue) or above.get(ref) or ""
    yield from _unheard(issue, ref)
    yield from _item(issue, ref, parent or group, milestone.get("title") if parent else None)
    for one in _nodes(issue.get("blockedBy")):
        yield {"type": "link", "source": _ref(one, issue), "link": "blocks", "target": ref}
    for one in _nodes(issue.get("blocking")):
        yield {"type": "link", "source": ref, "link": "blocks", "target": _ref(one, issue)}
    for said in _nodes(issue.get("comments")):
        by = _login(said.get("author") or said.get("user"))
        yield from comment(
            ref, said.get("body"), by, said.get("createdAt") or said.get("created_at")
        )


def _item(issue: Json, ref: str, parent: str, milestone: str | None) -> Iterator[Line]:
    labels = [_name(one) for one in _nodes(issue.get("labels"))]
    people = _people(issue)
    by = _login(issue.get("author") or issue.get("user"))
    yield from item(
        {
            "ref": ref,
            "parent": parent or None,
            "kind": _kind(issue, labels),
            "title": issue["title"],
            "description": issue.get("body"),
            "status": _status(issue),
            "priority": _priority(labels),
            "labels": labels,
            "assignee": people[0] if people else None,
            **_times(issue),
            **({"created_by": by} if by else {}),
        },
        facts={"assignees": people[1:] and people, "milestone": milestone},
    )


def _unheard(issue: Json, ref: str) -> Iterator[Line]:
    """Notes of what the file has, or only counts, and this does not take over."""
    said = issue.get("comments")
    if isinstance(said, int) and said:
        yield note("comments are only counted in the file: `gh … --json …,comments` has them", ref)
    for name, value in issue.items():
        if (
            name not in _OWN
            and not name.endswith(("_url", "Url"))
            and value not in (None, "", [], {})
        ):
            yield note(f"the field {name!r} has no place here and was left out", ref)
    if not _repository(issue):
        yield note(
            "does not name its repository: add url to gh's --json before importing more", ref
        )


def _ref(issue: Json, beside: Json | None = None) -> str:
    """Its name here; what names no repository is of the same as the one beside it."""
    repository = _repository(issue) or (_repository(beside) if beside else "")
    return f"github:{repository}#{issue['number']}"


def _repository(issue: Json) -> str:
    for name in ("html_url", "url"):
        if found := _PLACE.search(str(issue.get(name) or "")):
            return found["name"]
    if given := issue.get("repository_url"):
        return "/".join(str(given).split("/")[-2:])
    given = issue.get("repository")
    if isinstance(given, Mapping):
        given = given.get("nameWithOwner") or given.get("full_name")
    return str(given or "")


def _is_pull(issue: Json) -> bool:
    return (
        issue.get("pull_request") is not None
        or bool(issue.get("isPullRequest"))
        or issue.get("__typename") == "PullRequest"
        or "/pull/" in str(issue.get("html_url") or issue.get("url") or "")
    )


def _parent(issue: Json) -> str:
    if isinstance(issue.get("parent"), Mapping):
        return _ref(issue["parent"], issue)
    if found := _PLACE.search(str(issue.get("parent_issue_url") or "")):
        return f"github:{found['name']}#{found['number']}"
    return ""


def _milestone(issue: Json, ref: str) -> tuple[str, Line]:
    """The ref of its milestone and that as an item; an empty ref without one."""
    given = issue.get("milestone") or {}
    one = given if isinstance(given, Mapping) else {"title": str(given)}
    if not one.get("title"):
        return "", {}
    group = f"{ref.rpartition('#')[0]}/{one['title']}"[:200]
    return group, {
        "ref": group,
        "parent": None,
        "kind": "epic",
        "title": one["title"],
        "description": one.get("description"),
        "status": "completed" if str(one.get("state")).lower() == "closed" else "pending",
        "labels": [],
        "due": one.get("due_on") or one.get("dueOn"),
        **_times(one),
    }


def _status(issue: Json) -> str:
    closed = issue.get("closed_at") or issue.get("closedAt") or issue.get("closed")
    if str(issue.get("state") or ("closed" if closed else "open")).lower() == "open":
        return "pending"
    reason = str(issue.get("state_reason") or issue.get("stateReason") or "").lower()
    return "cancelled" if reason in _DROPPED else "completed"


def _kind(issue: Json, labels: Sequence[str]) -> str:
    """By its type, else by its labels ("epic", "type: epic")."""
    named = _name(issue.get("type") or issue.get("issueType") or "").lower()
    words = {named} if named else {re.split(r"[:/]\s*", one.lower())[-1] for one in labels}
    return "epic" if "epic" in words else "task" if words & {"task", "chore"} else "issue"


def _priority(labels: Sequence[str]) -> int:
    """By the first label like "priority: high", "priority/P1" or "P1"; 2 without one."""
    for label in labels:
        if found := _PRIORITY.fullmatch(label.lower()):
            word = found["digit"] or found["word"].removeprefix("p")
            if word in _WORDS or word.isdigit():
                return _WORDS[word] if word in _WORDS else int(word)
    return 2


def _people(issue: Json) -> list[str]:
    given = [issue.get("assignee"), *_nodes(issue.get("assignees"))]
    return list(dict.fromkeys(name for one in given if (name := _login(one))))


def _login(one: Any) -> str:
    return str(one.get("login") or one.get("name") or "") if isinstance(one, Mapping) else one or ""


def _name(one: Any) -> str:
    return str(one.get("name") or "") if isinstance(one, Mapping) else str(one)


def _nodes(value: Any) -> list[Any]:
    """A list, or what GraphQL has for one."""
    if isinstance(value, Mapping):
        value = value.get("nodes") or [one.get("node") for one in value.get("edges") or []]
    return [one for one in value if one] if isinstance(value, list) else []


def _times(one: Json) -> Line:
    names = {"created_at": "createdAt", "updated_at": "updatedAt", "closed_at": "closedAt"}
    return {name: one.get(name) or one.get(other) for name, other in names.items()}
