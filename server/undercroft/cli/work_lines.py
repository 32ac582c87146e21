"""Work as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from undercroft.cli.terminal import plain

if TYPE_CHECKING:
    from rich.text import Text

    from undercroft.work.models import Item, Node, Plan, Ready

STYLES = {
    "pending": "",
    "in_progress": "yellow",
    "in_review": "yellow",
    "deferred": "dim",
    "completed": "green",
    "cancelled": "dim strike",
}
SIGNS = {"completed": "✓", "cancelled": "✗", "in_progress": "▶", "in_review": "◎", "deferred": "‖"}


def tree_lines(project: str, plan: Plan, ready: Sequence[Ready]) -> Iterator[Text]:
    """The tree, and what can be started now."""
    from rich.text import Text  # noqa: PLC0415 - only where it is drawn

    if not plan.items:
        yield Text(f"{project} has no work yet. `undercroft call create_work title=…` adds some.")
        return
    yield from map(_node, plan.items)
    if plan.next_cursor:
        yield Text(f"… {plan.total} items in all", style="dim")
    yield Text("\nready", style="bold")
    for one in ready:
        title, reason = plain(one.title), plain(one.reason)
        yield Text.assemble((one.id, "cyan"), f"  {title}  ", (f"({reason})", "dim"))
    if not ready:
        yield Text("nothing", style="dim")


def _node(node: Node) -> Text:
    from rich.text import Text  # noqa: PLC0415 - only where it is drawn

    sign = "⧗" if node.blocked else SIGNS.get(node.status, "·")
    line = Text("  " * node.depth)
    line.append(f"{sign} ", style="red" if node.blocked else STYLES.get(node.status, ""))
    line.append(plain(node.title), style=STYLES.get(node.status, ""))
    more = [node.kind, node.id, *([f"{node.progress:g} %"] if node.progress is not None else [])]
    more += [plain(node.held_by)] if node.held_by else []
    more += [f"+{node.hidden} beneath"] if node.hidden else []
    line.append(f"  {'  '.join(more)}", style="dim")
    return line


def item_lines(item: Item) -> Iterator[Text]:
    """All of one item; long texts keep their lines."""
    from rich.text import Text  # noqa: PLC0415 - only where it is drawn

    yield Text(plain(item.title), style="bold")
    for name, value in _facts(item).items():
        if value:
            yield Text.assemble((f"{name:>10}  ", "dim"), plain(str(value)))
    for text in (item.description, item.outcome):
        if text:
            yield Text("")
            yield from (Text(plain(line)) for line in text.splitlines())
    for one in item.acceptance or ():
        yield Text(plain(f"  {'☑' if one['met'] else '☐'} {one['text']}"))
    for one in item.comments or ():
        by = one.get("agent") or one["by"]
        yield Text.assemble(("\n" + plain(f"{by}  {one['at']}"), "dim"))
        yield from (Text(plain(line)) for line in one["body"].splitlines())
    yield Text("")


def _facts(item: Item) -> Mapping[str, Any]:
    held = f"{item.held_by} until {item.held_until:%Y-%m-%d %H:%M} UTC" if item.held_until else ""
    links = [f"{one['type']} {one['id']} ({one['status']})" for one in item.links or ()]
    places = [
        f"{one['path']}:{one['start_line']}" if "start_line" in one else one["path"]
        for one in item.code_links or ()
    ]
    return {
        "id": f"{item.kind}:{item.id}",
        "status": f"{item.status}, priority {item.priority}, version {item.version}",
        "labels": ", ".join(item.labels or ()),
        "assignee": item.assignee,
        "due": item.due,
        "estimate": item.estimate and f"{item.estimate:g} minutes",
        "held by": held,
        "parent": item.parent,
        "prev": item.prev,
        "next": item.next,
        "links": ", ".join(links),
        "code": ", ".join(places),
        "from": item.external_ref,
        "review": item.review and item.review["state"],
    }
