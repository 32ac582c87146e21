"""Kinds of work: what statuses each has, and what each status may become."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from undercroft.errors import Conflict, InvalidInput
from undercroft.work.fields import as_json
from undercroft.work.store import SQL

if TYPE_CHECKING:
    from undercroft.db.database import Database

CATEGORIES = ("todo", "doing", "paused", "done", "dropped")
NEEDED = ("todo", "doing", "done")
MOST = 30
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


async def kinds(db: Database) -> list[dict[str, Any]]:
    """Every kind with its statuses in their order."""
    rows = await db.fetch(SQL.list_kinds)
    return [
        {
            "name": row["name"],
            "description": row["description"],
            "statuses": from_json(row["statuses"] or "[]"),
        }
        for row in rows
    ]


async def define(
    db: Database, name: str, statuses: Sequence[Any], description: str
) -> dict[str, Any]:
    """Make a kind: [{status, category, to: [statuses]}]; what a claim needs is always allowed.

    Raises:
        InvalidInput: A status is none, or leads nowhere.
        Conflict: The kind exists.

    """
    if not _NAME.fullmatch(name):
        raise InvalidInput("A kind's name is a-z, 0-9 and _, at most 48, beginning with a letter.")
    wanted = [_status(one) for one in statuses[: MOST + 1]]
    names = [one["status"] for one in wanted]
    if len(set(names)) != len(names) or len(names) > MOST:
        raise InvalidInput(f"A kind has up to {MOST} statuses, each once.")
    if lacking := set(NEEDED) - {one["category"] for one in wanted}:
        raise InvalidInput(f"No status has the category {min(lacking)!r}.")
    if unknown := {to for one in wanted for to in one["to"]} - set(names):
        raise InvalidInput(f"`to` names {min(unknown)!r}, which is no status of the kind.")
    _allow_the_usual(wanted)
    async with db.transaction() as bound:
        if (
            await bound.fetch_value(SQL.insert_kind, name, description, as_json(wanted), db.actor)
            is None
        ):
            raise Conflict(f"The kind {name} exists already.", hint="list_work_kinds shows it.")
        await bound.execute(SQL.insert_transitions, name, as_json(wanted))
    return {"name": name, "description": description, "statuses": wanted}


def _allow_the_usual(statuses: list[dict[str, Any]]) -> None:
    """Claiming, giving back and finishing are possible in every kind, or one would stop all."""
    first = {name: next(s for s in statuses if s["category"] == name) for name in NEEDED}
    ways = [(one, first["doing"]) for one in statuses if one["category"] == "todo"]
    ways += [(one, first["done"]) for one in statuses if one["category"] == "doing"]
    ways += [(one, first["todo"]) for one in statuses if one["category"] == "doing"]
    for source, target in ways:
        if target["status"] not in source["to"]:
            source["to"] = [*source["to"], target["status"]]


def _status(one: Any) -> dict[str, Any]:
    shape = '{"status": …, "category": …, "to": […]}'
    if not isinstance(one, Mapping) or not one.keys() <= {"status", "category", "to"}:
        raise InvalidInput(f"A status is {shape}.")
    status, category, to = one.get("status"), one.get("category"), one.get("to", [])
    if not isinstance(status, str) or not _NAME.fullmatch(status):
        raise InvalidInput(f"A status is {shape}; its name is a-z, 0-9 and _.")
    if category not in CATEGORIES:
        raise InvalidInput(f"A category is one of: {', '.join(CATEGORIES)}.")
    if not isinstance(to, list) or not all(isinstance(name, str) for name in to):
        raise InvalidInput("`to` lists the statuses that it may become.")
    return {"status": status, "category": category, "to": to}
