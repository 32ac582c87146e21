"""An estimate in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from undercroft.timing.models import Task

_DAYS = 48 * 60
"""From so many minutes on, hours are told alone."""
_FEW = 4
_LEARNS = (
    "Claim work items that have an `estimate`, and finish them: the next estimates learn from it."
)
_LEVELS = (("p80_minutes", "80 %", 4), ("p95_minutes", "95 %", 19))
"""Quantile, its name, and how many tasks it needs."""


def spoken(minutes: float) -> str:
    """A duration as a person says it: 45 s, 20 min, 1 h 30 min, 61 h."""
    if minutes < 1:
        return f"{max(1, minutes * 60):.0f} s"
    whole = round(minutes)
    if whole < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes:.1f}".rstrip("0").rstrip(".") + " min"
    if whole >= _DAYS:
        return f"{whole / 60:.0f} h"
    hours, rest = divmod(whole, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def summary(found: Mapping[str, Any], task: Task, asker: str) -> str:
    """What was found, what it rests on, and what could not be said."""
    if found["basis"] == "none":
        return (
            f"No task has been finished here yet, so there is nothing to estimate from. {_LEARNS}"
        )
    if found["basis"] == "own":
        said = spoken(found["p50_minutes"])
        return f"{said} is your own estimate: no task has been finished here yet to compare with."
    parts = [_quantiles(found), _ground(found, task, asker)]
    few = min(found["tasks"], found["effective"]) < _FEW
    if few:
        parts.append("Few of them are like it: take the numbers as a guess.")
    if task.own_minutes:
        parts.append(_own(found, task.own_minutes, few=few))
    return " ".join(filter(None, parts))


def _own(found: Mapping[str, Any], own: float, *, few: bool) -> str:
    """What became of the asker's own estimate."""
    yours = spoken(own)
    if found["basis"] == "past":
        return f"Your own estimate ({yours}) is not in it: no estimate was like it. {_LEARNS}"
    if found["basis"] == "mixed":
        return f"Few estimates are like yours ({yours}), so tasks without one count as well."
    if few:
        return ""
    return (
        f"Estimates like yours ({yours}) come out at {found['p50_minutes'] / own:.2g} times that."
    )


def _quantiles(found: Mapping[str, Any]) -> str:
    told = [f"Half of such tasks take at most {spoken(found['p50_minutes'])}"]
    told += [
        f"{name} at most {spoken(found[level])}"
        for level, name, _ in _LEVELS
        if found[level] is not None
    ]
    missing = [f"{name} needs {least}" for level, name, least in _LEVELS if found[level] is None]
    note = f" ({', '.join(missing)} finished tasks)" if missing else ""
    return ", ".join(told) + note + "."


def _ground(found: Mapping[str, Any], task: Task, asker: str) -> str:
    tasks, alike, effective = found["tasks"], found["alike"], max(1, round(found["effective"]))
    of_kind = f" of the kind {task.kind}" if task.kind else ""
    worth = f", worth as much as {effective:,} alike" if effective < tasks else ""
    rest = f"This rests on {_counted(tasks)}{worth}"
    if not task.kind:
        return f"{rest}."
    if not alike:
        return f"{rest}: none of them{of_kind} by {asker}, so on what others and other kinds took."
    return f"{rest}; {alike:,}{of_kind} by {asker}."


def _counted(tasks: int) -> str:
    return "one finished task" if tasks == 1 else f"{tasks:,} finished tasks"
