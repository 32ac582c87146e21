"""Folders made to lead the index out of them, to stop it, to burst it or to run something."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tortures.frame import Effort
from tortures.indexers import Nursery, make_projects, nursery
from tortures.invariants import Invariant, at_least, none_of
from tortures.killing import place_of
from tortures.repositories import REPOSITORIES, crowd
from tortures.scratch import scratch
from tortures.soundness import everything, faults
from tortures.traps import TRAPS, Tree, pipe_for_ignore_file
from tortures.woods import LETTERS

PROJECT = "hostile"
CANARY = "zqoutside"
"""Begins every word that stands outside, and no other."""

OWN = "zqinside"
DEADLINE = 180.0
"""Seconds for one tree; git alone may be waited for half a minute."""

AT_ONCE = 4
MEMORY = 1e9
"""Bytes of a server that indexes such a tree."""


@dataclass(kw_only=True)
class Journey:
    """All trees, and what came of them."""

    base: Path
    nursery: Nursery
    dice: random.Random
    slow: bool
    """Also traps that cost half a minute each."""
    hung: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    traps: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: int = 0
    swaps: int = 0

    async def go(self, number: int) -> None:
        """Lay the traps of one tree, and index it."""
        tree = self._laid(number)
        label = f"{number}: {' '.join(tree.laid)}"
        try:
            with swapping(tree) as swaps:
                began = time.monotonic()
                await self._index(tree, label)
                self.slowest = max(self.slowest, time.monotonic() - began)
            self.swaps += swaps[0]
            if tree.marker.exists():
                self.ran.append(label)
        finally:
            await asyncio.to_thread(tree.end)

    def _laid(self, number: int) -> Tree:
        dice = random.Random(number)  # noqa: S311 - a reproducible run, not a secret
        place = self.base / str(number)
        word = "".join(dice.choices(LETTERS, k=8)) + "x"
        tree = Tree(
            root=place / "root",
            outside=place / "outside",
            marker=place / "ran",
            word=CANARY + word,
            own=OWN + word,
            dice=dice,
        )
        tree.begin()
        self.own.append(tree.own)
        if dice.random() < 0.6:  # noqa: PLR2004 - a mixture
            repository = REPOSITORIES[number % len(REPOSITORIES)]
            repository(tree)
            tree.laid.append(repository.__name__)
        for count, trap in enumerate(dice.sample(TRAPS, dice.randint(2, 6))):
            here = tree.root if dice.random() < 0.3 else tree.root / f"part_{count}"  # noqa: PLR2004 - a mixture
            here.mkdir(exist_ok=True)
            with contextlib.suppress(FileExistsError):
                trap(tree, here)
            tree.laid.append(trap.__name__)
        if self.slow and number % 50 == 7:  # noqa: PLR2004 - here and there
            crowd(tree)
            pipe_for_ignore_file(tree, tree.root)
            tree.laid.append("crowd")
        self.traps.update(set(tree.laid))
        return tree

    async def _index(self, tree: Tree, label: str) -> None:
        run = await self.nursery.start(PROJECT, tree.root, once=True)
        try:
            async with asyncio.timeout(DEADLINE):
                end = await asyncio.shield(run.ended)
        except TimeoutError:
            self.hung.append(label)
            await run.kill()
            return
        self.memory = max(self.memory, run.memory)
        told: dict[str, Any] = next((said for said in run.said if "run" in said), {})
        if end or not told:
            self.failed.append(f"{label}: exit {end} {run.said}")
        elif not told["files"] and not told["omitted"]:
            self.silent.append(label)
        self.reasons.update(told.get("omitted", {}))


@contextmanager
def swapping(tree: Tree) -> Iterator[list[int]]:
    """Swap places for links and back for the length of the block; how often."""
    stop = threading.Event()
    swaps = [0]

    def swap() -> None:
        while not stop.wait(0.0005):
            for place, target in tree.swaps:
                kept = place.with_name(f"{place.name}.kept")
                place.rename(kept)
                place.symlink_to(target)
                stop.wait(0.0005)
                place.unlink()
                kept.rename(place)
                swaps[0] += 1

    thread = threading.Thread(target=swap)
    if tree.swaps:
        thread.start()
    try:
        yield swaps
    finally:
        stop.set()
        if tree.swaps:
            thread.join()


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Nothing from outside is stored, nothing runs, nothing hangs, nothing is left unsaid."""
    count = effort.count(300, quick=24)
    async with scratch(effort.fault) as place, nursery(place) as born:
        await place.configure(fsync="off")
        await make_projects(place, PROJECT)
        await effort.plant(place)
        dice = random.Random(3)  # noqa: S311 - a reproducible run, not a secret
        journey = Journey(base=place_of(place), nursery=born, dice=dice, slow=not effort.quick)
        await _travel(journey, count)
        async with place.asked(f"project_{PROJECT}") as connection:
            held = await everything(connection)
            unsound = await faults(connection)
        for invariant in _judged(journey, held, count):
            yield invariant
        yield none_of("unsound", unsound, "in the tables")


async def _travel(journey: Journey, count: int) -> None:
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await journey.go(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())


def _judged(journey: Journey, held: dict[str, bytes], count: int) -> list[Invariant]:
    leaks = {
        column: found
        for column, data in held.items()
        if (found := set(re.findall(rb"%s\w*" % CANARY.encode(), data, re.IGNORECASE)))
    }
    own = set(re.findall(rb"%s\w+" % OWN.encode(), held["codebase.chunks.content"]))
    leaked = sum(len(word) for words in leaks.values() for word in words)
    reasons = " ".join(f"{reason} {number}" for reason, number in journey.reasons.most_common())
    return [
        Invariant(
            name="bytes from outside", figure=leaked, limit=0, meaning=str(leaks or "in any column")
        ),
        none_of("programs run", journey.ran, "that a tree named"),
        none_of("trees that hung", journey.hung, f"longer than {DEADLINE:.0f} s"),
        none_of("trees that failed", journey.failed, "an error, or a death"),
        none_of(
            "nothing found, no reason", journey.silent, "indexed and empty, and nobody knows why"
        ),
        Invariant(
            name="slowest tree s",
            figure=round(journey.slowest, 1),
            limit=DEADLINE,
            meaning="four at once",
        ),
        Invariant(
            name="memory of a server",
            figure=journey.memory,
            limit=MEMORY,
            meaning="bytes at the most",
        ),
        at_least("trees", count, 20, f"of {len(journey.traps)} kinds of traps"),
        at_least("trees with own files found", len(own), 0.6 * count, "else all was left out"),
        at_least("reasons", len(journey.reasons), 5, reasons),
        at_least("swaps meanwhile", journey.swaps, 20, "of folders and files for links"),
    ]
