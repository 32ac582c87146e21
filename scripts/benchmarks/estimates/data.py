"""The SiP dataset: task estimates and actual hours of one company (Jones and Cullum, 2019).

One row a task, as in `sip-*.csv` of the folder: title, project, category, subcategory,
assigned_to, estimated_on, completed_on (ISO dates), hours_estimate, hours_actual.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

PATTERN = "sip*.csv"
TITLE = 500


@dataclass(frozen=True, kw_only=True)
class Done:
    """A finished task; what is known before it begins, and how long it took."""

    source: str
    """The file."""
    title: str
    project: str
    category: str
    subcategory: str
    developer: str
    estimated_on: date
    completed_on: date
    estimate: float
    """Hours that the developer said."""
    actual: float
    """Hours that it took."""


def load(folder: Path, most: int | None = None) -> tuple[list[Done], int]:
    """Tasks of all files by the day of their estimate, and how many rows had to be left out.

    Left out is what has no estimate, no actual or no day of either.
    """
    found: list[Done] = []
    left_out = 0
    for path in sorted(folder.glob(PATTERN)):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        tasks = [task for row in rows if (task := _task(path.name, row))]
        left_out += len(rows) - len(tasks)
        found += tasks
    found.sort(key=lambda one: (one.estimated_on, one.completed_on))
    return found[:most], left_out


def files(tasks: Sequence[Done]) -> list[str]:
    """The files, the one that ends last at the end."""
    last = {one.source: one.completed_on for one in sorted(tasks, key=lambda one: one.completed_on)}
    return sorted(last, key=lambda name: last[name])


def _task(source: str, row: Mapping[str, str]) -> Done | None:
    try:
        task = Done(
            source=source,
            title=row["title"][:TITLE],
            project=row["project"],
            category=row["category"],
            subcategory=row["subcategory"],
            developer=row["assigned_to"],
            estimated_on=date.fromisoformat(row["estimated_on"]),
            completed_on=date.fromisoformat(row["completed_on"]),
            estimate=float(row["hours_estimate"]),
            actual=float(row["hours_actual"]),
        )
    except ValueError:
        return None
    return task if task.estimate > 0 and task.actual > 0 else None
