"""Two servers index one repository while files change under them and everything is killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from tortures.frame import Effort
from tortures.indexers import make_projects, nursery
from tortures.invariants import Invariant, at_least, none_of
from tortures.killing import PATIENCE, Killer, overtake, place_of
from tortures.scratch import Scratch, scratch
from tortures.soundness import INDEX, faults, stored
from tortures.woods import Woods
from undercroft.codebase.service import Codebase

PROJECT = "woods"
FRESH = "fresh"


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """After every kill the status is true; in the end the index is what a fresh one would be."""
    kills = effort.count(100, quick=12)
    async with scratch(effort.fault) as place, nursery(place) as born:
        await place.configure(fsync="off")
        root = place_of(place) / PROJECT
        root.mkdir(parents=True)
        dice = random.Random(20)  # noqa: S311 - a reproducible run, not a secret
        woods = Woods(root=root, dice=dice)
        woods.plant(effort.count(400, quick=120))
        await make_projects(place, PROJECT, FRESH)
        killer = Killer(place=place, nursery=born, woods=woods, project=PROJECT, dice=dice)
        await effort.plant(place)
        async with place.asked(killer.database) as connection:
            await connection.execute(INDEX.watch_files.text)
        await _kill(effort, killer, kills)
        for invariant in _killed(killer):
            yield invariant
        async for invariant in _overtaken(effort, killer):
            yield invariant
        async for invariant in _settled(place, killer):
            yield invariant


async def _kill(effort: Effort, killer: Killer, kills: int) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + effort.minutes * 60
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(killer.woods.edit(stop))
        try:
            while killer.kills < kills or loop.time() < end:
                await killer.strike()
                killer.woods.switch(0.3)
        finally:
            stop.set()


async def _overtaken(effort: Effort, killer: Killer) -> AsyncIterator[Invariant]:
    wanted = effort.count(6, quick=4)
    done = [await overtake(killer) for _ in range(wanted)]
    async with killer.place.asked(killer.database) as connection:
        noted = [row["fault"] for row in await connection.fetch(INDEX.list_unleased.text)]
        noted += await faults(connection)
    yield none_of("stored without the lease", noted, "by one who stood still and was overtaken")
    yield at_least("servers overtaken", sum(map(bool, done)), 1, "stopped, replaced, woken up")


def _killed(killer: Killer) -> list[Invariant]:
    woods, born = killer.woods, killer.nursery
    meaning = f"{killer.processes} processes with -9, PostgreSQL's {killer.outages} times"
    return [
        none_of("chunks lost or doubled", killer.unsound, "in the tables, after each kill"),
        none_of("wrong statuses", killer.untrue, "after each kill"),
        none_of("errors of servers", born.mistakes, "but for a PostgreSQL that is away"),
        at_least("kills", killer.kills, 10, meaning),
        at_least(
            "in the middle of a run", killer.middle, 0.6 * killer.kills, "else it proves little"
        ),
        at_least("with two at one repository", killer.together, 0.8 * killer.kills, "servers"),
        at_least("edits meanwhile", woods.edits, killer.kills, f"now {len(woods.ledger)} files"),
    ]


async def _settled(place: Scratch, killer: Killer) -> AsyncIterator[Invariant]:
    """One more run, and the same folder in a database that has seen nothing of all that."""
    await killer.nursery.kill_all()
    await asyncio.sleep(0.2)
    failed = []
    for project in (PROJECT, FRESH):
        run = await killer.nursery.start(project, killer.woods.root, once=True)
        try:
            async with asyncio.timeout(PATIENCE):
                if await asyncio.shield(run.ended):
                    failed.append(f"{project}: {run.said}")
        except TimeoutError:
            failed.append(f"{project}: does not end")
            await run.kill()
    yield none_of("last runs that failed", failed, "one finishes what the dead began")
    yield at_least("runs that ended well", killer.nursery.runs, 3, "between kills and after them")
    async with place.asked(killer.database) as first, place.asked(f"project_{FRESH}") as second:
        one, row = await _index(first)
        two, _ = await _index(second)
        dead = [found["fault"] for found in await first.fetch(INDEX.list_dead.text)]
        unsound = await faults(first)
    status = [] if row["indexing_status"] == "completed" and row["seen"] else [dict(row)]
    yield none_of("not completed in the end", status, "as the status has it")
    yield none_of("lost", list((two - one).elements()), f"of {two.total()} things of a fresh index")
    yield none_of("doubled or left over", list((one - two).elements()), "that a fresh one has not")
    yield none_of("contents that no file holds", dead, "once tidied")
    yield none_of("unsound in the end", unsound, "in the tables")
    yield none_of(
        "files not found", await _unfound(place, killer.woods), "by the word that each has"
    )


async def _index(connection: Any) -> Any:
    row = await connection.fetchrow(INDEX.list_repositories.text)
    return await stored(connection, row["id"]), row


async def _unfound(place: Scratch, woods: Woods) -> list[str]:
    """Files that a search for their word does not bring."""
    async with place.app() as app:
        room = Codebase((await app.open(PROJECT)).database)
        found: dict[str, set[str]] = {}
        for word in {entry.word for entry in woods.ledger.values()}:
            hits = await room.search(word, limit=50)
            found[word] = {hit.path for hit in hits.items}
    return [path for path, entry in woods.ledger.items() if path not in found[entry.word]]
