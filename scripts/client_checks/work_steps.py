"""The work room, asked by a client."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from client_checks.steps import Json, Step, body, call

PLAN = json.dumps(
    [
        {
            "title": "Plan",
            "kind": "epic",
            "children": [{"title": "First", "key": "a"}, {"title": "Second", "blocked_by": ["a"]}],
        }
    ]
)
IMPORTED = (
    '{"type":"item","id":"w-inspect1","kind":"task","title":"Look","status":"pending"}\n'
    '{"type":"item","id":"w-inspect2","kind":"step","title":"Agree","status":"pending"}'
)
SPELL = (
    '[{"status":"new","category":"todo","to":["cast"]},{"status":"cast","category":"doing",'
    '"to":["over"]},{"status":"over","category":"done"}]'
)


def work(tool: str, is_right: Callable[[Json], bool], *arguments: str) -> Step:
    """A call of a tool of the work room."""
    name = tool.partition(" ")[0]
    return f"tools/call {tool}", call(name, "project=inspected", *arguments), is_right


WORK: Sequence[Step] = [
    work("create_plan", lambda a: body(a)["items"] == 3, f"items={PLAN}"),  # noqa: PLR2004 - as planned
    work("import_work", lambda a: body(a)["items"] == 2, f"text={IMPORTED}"),  # noqa: PLR2004 - two lines
    work("create_work", lambda a: body(a)["version"] == 1, "title=One"),
    work("get_plan", lambda a: body(a)["total"] == 6),  # noqa: PLR2004 - all of these
    work("get_work", lambda a: body(a)["title"] == "Look", "id=task:w-inspect1"),
    work(
        "update_work",
        lambda a: body(a)["version"] == 2,  # noqa: PLR2004 - one more
        "id=w-inspect1",
        "version=1",
        'fields={"priority":0}',
    ),
    work(
        "move_work",
        lambda a: body(a)["version"] == 2,  # noqa: PLR2004 - one more
        "id=w-inspect2",
        "before=w-inspect1",
        "version=1",
    ),
    work("query_work", lambda a: len(body(a)["items"]) == 1, 'where={"kind":"step"}'),
    work("ready_work", lambda a: body(a)["result"][0]["id"] == "w-inspect1", "limit=5"),
    work(
        "link_work",
        lambda a: body(a)["changed"],
        "id=w-inspect1",
        "type=relates",
        "target=w-inspect2",
    ),
    work("blocked_work", lambda a: [one["title"] for one in body(a)["items"]] == ["Second"]),
    work("claim_work", lambda a: body(a)["epoch"] == 1, "agent=ada"),
    work("list_claims", lambda a: body(a)["result"][0]["id"] == "w-inspect1"),
    work("finish_work", lambda a: a["isError"], "id=w-inspect1", "epoch=2"),
    work("release_claim", lambda a: body(a)["status"] == "pending", "id=w-inspect1", "epoch=1"),
    work("comment_on_work", lambda a: body(a)["id"] == 1, "id=w-inspect1", "body=hello"),
    work(
        "get_work_history",
        lambda a: body(a)["items"][0]["operation"] == "release",
        "id=w-inspect1",
    ),
    work("undo_work", lambda a: body(a)["version"] == 5, "id=w-inspect1", "version=4"),  # noqa: PLR2004 - one more
    work(
        "review_step",
        lambda a: body(a)["state"] == "proposed",
        *("id=w-inspect2", "action=propose", "agent=ada", "content=v1", "complexity=3"),
    ),
    work(
        "review_step to a dispute",
        lambda a: body(a)["state"] == "disputed",
        *("id=w-inspect2", "action=dispute", "agent=bob", "content=v2"),
    ),
    work("list_disputes", lambda a: body(a)["result"][0]["client_content"] == "v2"),
    work(
        "resolve_dispute",
        lambda a: body(a)["final_content"] == "v1",
        *("id=w-inspect2", "choice=server", "agent=carol"),
    ),
    work("set_review_rules", lambda a: body(a)["max_iterations"] == 3, "max_iterations=3"),  # noqa: PLR2004 - as set
    work(
        "define_work_kind", lambda a: body(a)["name"] == "spell", "name=spell", f"statuses={SPELL}"
    ),
    work("list_work_kinds", lambda a: len(body(a)["result"]) == 5),  # noqa: PLR2004 - four, and that one
    work("archive_work", lambda a: a["isError"], "id=w-inspect2"),
    work("delete_work", lambda a: body(a)["items"] == 1, "id=w-inspect2", "version=2"),
    work("restore_work", lambda a: body(a)["items"] == 1, "id=w-inspect2", "version=3"),
]
"""The work room, every tool of it; over stdio alone."""
