"""From the history of every item, and what each process was told, to what is wrong."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

SLACK = 0.25
"""Seconds by which a statement may have begun in time and ended late: it waits for a lock or a
processor after it has looked at the clock. Nobody else can have claimed the item meanwhile."""


@dataclass(kw_only=True)
class Told:
    """What the processes were told."""

    done: list[dict[str, Any]] = field(default_factory=list)
    """Deeds that were answered as done: do, item, epoch, version."""
    refused: Counter[str] = field(default_factory=Counter)
    """Deed and code of those that were refused."""


def read(folder: Path) -> Told:
    """The diaries; a last line that is cut counts for nothing."""
    told = Told()
    for path in sorted(folder.iterdir()):
        for line in path.read_bytes().split(b"\n")[:-1]:
            deed = json.loads(line)
            if "code" in deed:
                told.refused[f"{deed['do']} {deed['code']}"] += 1
            else:
                told.done.append(deed)
    return told


def histories(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Item → its versions in their order."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["item_id"]].append(row)
    return found


def not_once(every: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Items that were finished more than once, or are done and never were."""
    for item, versions in every.items():
        times = sum(row["operation"] == "finish" for row in versions)
        if times != (versions[-1]["status"] == "completed"):
            yield f"{item}: {times} times"


def stale(told: Told, every: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Writes that were accepted when the claim was over, or the item another's since."""
    until: defaultdict[tuple[str, int], float] = defaultdict(float)
    for deed in told.done:
        claim = deed["item"], deed["epoch"]
        if "until" in deed:
            until[claim] = max(until[claim], deed["until"])
            continue
        row = next((r for r in every[deed["item"]] if r["version"] == deed["version"]), None)
        said = f"{deed['item']}: {deed['do']} with epoch {deed['epoch']}"
        if row is None:
            yield f"{said} in no version"
        elif row["epoch"] != deed["epoch"]:
            yield f"{said}, held with {row['epoch']}"
        elif row["at"] > until[claim] + SLACK:
            yield f"{said}, {row['at'] - until[claim]:.3f} s after its time"


def doubles(told: Told, every: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Claims that two were told of, and claims of what another still held."""
    seen = Counter((d["item"], d["epoch"]) for d in told.done if d["do"] == "claim")
    yield from (f"{item}: epoch {epoch} to {n}" for (item, epoch), n in seen.items() if n > 1)
    for item, versions in every.items():
        until = 0.0
        for row in versions:
            if row["operation"] == "claim":
                if row["at"] < until:
                    yield f"{item}: claimed {until - row['at']:.3f} s before its time"
                until = row["until"]
            elif row["until"] is None:
                until = 0.0


def lost(told: Told, every: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """Answers of which the history knows nothing."""
    for deed in told.done:
        wanted = {"claim": "claim", "finish": "finish", "release": "release"}.get(deed["do"])
        if wanted and not any(
            row["version"] == deed["version"] and row["operation"] == wanted
            for row in every[deed["item"]]
        ):
            yield f"{deed['item']}: {deed['do']} in version {deed['version']}"


def circles(edges: Iterable[Row]) -> list[str]:
    """Items that wait for themselves; an item has two events, it may begin and it is done."""
    follows: defaultdict[tuple[str, bool], set[tuple[str, bool]]] = defaultdict(set)
    for edge in edges:
        first, second = edge["first"], edge["second"]
        for one in (first, second):
            follows[one, False].add((one, True))
        if edge["kind"] == "link":
            follows[first, True].add((second, False))
        else:
            follows[first, False].add((second, False))
            follows[second, True].add((first, True))
    before = Counter(event for events in follows.values() for event in events)
    free = [event for event in follows if not before[event]]
    while free:
        for event in follows.pop(free.pop(), ()):
            before[event] -= 1
            if not before[event]:
                free.append(event)
    return sorted({item for (item, _), number in before.items() if number > 0})
