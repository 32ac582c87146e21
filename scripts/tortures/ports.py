"""Processes ask for ports and give them back, stopped and killed meanwhile, as is PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from tortures import port_deeds
from tortures.frame import Effort
from tortures.indexers import make_projects, nursery
from tortures.invariants import Invariant, at_least, none_of
from tortures.port_deeds import Deed
from tortures.port_holder import FIRST, LAST, NARROW, PROJECTS, stable_slots
from tortures.port_holds import FOREVER, Hold, doubles, on_strangers, told
from tortures.port_stops import CHECKS, END, REGISTRY, Stops
from tortures.port_strangers import Strangers
from tortures.scratch import Scratch, scratch
from undercroft.ports.service import Ports

PROCESSES = 8
STRANGERS = 6
PATIENCE = 300.0
"""Seconds after which a run ends with whatever was done."""
STUCK = 0.02
"""Share of the calls that may meet another at the same moment and be refused."""


async def torture(effort: Effort) -> AsyncIterator[Invariant]:
    """Nobody has another's port, nothing is left after its time, who stays keeps his port."""
    target = effort.count(50_000, quick=2_500)
    seconds = effort.seconds(PATIENCE, quick=150)
    async with begun(effort) as (stops, strangers):
        async with strangers.about(STRANGERS):
            await stops.run(10**9 if effort.minutes else target, seconds)
            await stops.kill_all()
        deeds = port_deeds.read(stops.folder / "diaries")
        for one in judge(deeds, stops, strangers):
            yield one
        story = told(deeds, stops.deaths, str(stops.folder / "stable"))
        async with stops.place.app() as app:
            for one in await left(await app.ports("torture"), stops, story.holds):
                yield one
        for one in enough(deeds, stops, strangers, target):
            yield one


@asynccontextmanager
async def begun(effort: Effort) -> AsyncIterator[tuple[Stops, Strangers]]:
    """Processes at work."""
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(scratch(effort.fault))
        await _prepare(place)
        await effort.plant(place)
        folder = place.home.parent
        for name in ("diaries", "trees", "stable"):
            (folder / name).mkdir()
        crowd = await stack.enter_async_context(nursery(place, "tortures.port_holder"))
        dice = random.Random()  # noqa: S311 - another run each time
        stops = Stops(place=place, nursery=crowd, folder=folder, dice=dice)
        await asyncio.gather(*(stops.start(number) for number in range(PROCESSES)))
        yield stops, Strangers(first=FIRST, last=LAST, dice=dice)


async def _prepare(place: Scratch) -> None:
    await make_projects(place, *PROJECTS)
    async with place.app() as app:
        await (await app.ports("torture")).define_range(NARROW, FIRST, LAST)


def judge(deeds: list[Deed], stops: Stops, strangers: Strangers) -> Iterator[Invariant]:
    """What the processes were told, and how the tables looked meanwhile."""
    story = told(deeds, stops.deaths, str(stops.folder / "stable"))
    yield none_of("ports of two at once", [*doubles(story.holds)], "told to one, surely another's")
    yield none_of("ports that moved", story.moved, "asked again, and told another")
    yield none_of("answers in part", story.torn, "several or a block, not all of them")
    taken = [*on_strangers(story.holds, strangers.stays)]
    yield none_of("ports of foreign programs", taken, "given although bound before")
    yield none_of("over before their time", story.early, "reservations")
    yield none_of("tables unsound", stops.unsound, f"{len([*CHECKS])} looks at one moment each")
    mistakes = stops.nursery.mistakes
    yield none_of("wrong answers", mistakes, "errors that nobody can expect")


async def left(ports: Ports, stops: Stops, holds: list[Hold]) -> list[Invariant]:
    """What the tables hold once everybody is dead, and once his time is over as well."""
    stable = str(stops.folder / "stable")
    given = await _rows(stops, END.list_given.text)
    rows = {(row["asker"].rpartition(" ")[0], row["port"]) for row in given}
    last = {stops.crowd[number].pid for number in stops.crowd}
    kept = [one for one in holds if _was_kept(one, stops.deaths, last)]
    lost = [one for one in kept if (one.who.rpartition(" ")[0], one.port) not in rows]
    for tree in (stops.folder / "trees").iterdir():
        tree.rmdir()
    await _wait(stops)
    # A program of somebody else on this machine may be a reason to keep one.
    kept_open = {one.port for one in (await ports.reclaim()).kept}
    rest = await _rows(stops, END.list_given.text)
    gone = [row for row in rest if row["worktree"] != stable and row["port"] not in kept_open]
    leaks = [f"{row['asker']}: {row['port']}" for row in gone]
    over = [row["reservation"] for row in await _rows(stops, END.list_reserved.text)]
    first = {one.who: one.port for one in holds if stable in one.who}
    again = await _again(ports, stable)
    moved = [f"{who}: {first[who]}, {again[who]}" for who in first if first[who] != again[who]]
    seen = len(stops.unsound)
    await stops.look()
    return [
        none_of("ports lost", [f"{one.who}: {one.port}" for one in lost], "had, and no row"),
        none_of("reservations left", over, "after the last one's time, by the database's clock"),
        none_of(
            "ports left",
            leaks,
            f"of worktrees that are gone, once reclaimed; {len(kept_open)} in use",
        ),
        none_of("stable askers moved", moved, f"{len(first)} askers, at the very end"),
        none_of("tables unsound at the end", stops.unsound[seen:], "map, rows, groups"),
        at_least("ports had at the end", len(kept), 20, "else nothing could be lost"),
    ]


def _was_kept(hold: Hold, deaths: dict[int, float], last: set[int]) -> bool:
    """Whether the port was its holder's until the end: his death gives nothing back."""
    if hold.end == FOREVER:
        return True
    named = " " in hold.who and not hold.released
    return named and hold.process in last and hold.end == deaths[hold.process]


async def _rows(stops: Stops, text: str) -> list[Any]:
    async with stops.place.asked(REGISTRY) as admin:
        rows: list[Any] = await admin.fetch(text)
        return rows


async def _wait(stops: Stops) -> None:
    """Until the last reservation's time is over."""
    [row] = await _rows(stops, END.last_expiry.text)
    await asyncio.sleep(max(row["seconds"], 0))


async def _again(ports: Ports, stable: str) -> dict[str, int]:
    """What the stable askers are told now."""
    found = {}
    for slot in stable_slots(stable):
        answer = await ports.allocate(slot.project, slot.services, worktree=slot.worktree)
        found[slot.who] = answer.ports[slot.services[0]]
    return found


def enough(
    deeds: list[Deed], stops: Stops, strangers: Strangers, target: int
) -> Iterator[Invariant]:
    """Whether so much happened that the rest means something; and what was refused."""
    done = Counter(deed.do for deed in deeds if deed.done)
    states = Counter(deed.state for deed in deeds if deed.code == "unavailable" and deed.state)
    stuck = states["40P01"] + states["40001"]
    yield Invariant(
        name="% refused for another's sake",
        figure=round(100 * stuck / len(deeds), 3),
        limit=100 * STUCK,
        meaning=f"retryable: {states['40P01']} deadlocks, {states['40001']} outrun",
    )
    calls = done["allocate"] + done["release"]
    yield at_least("allocations and releases", calls, target, "answered")
    yield at_least("reservations", done["reserve"], target // 100, "most of them forgotten")
    doubt = sum(deed.in_doubt for deed in deeds)
    yield at_least("answers in doubt", doubt, 4, "dead, or the connection was")
    yield at_least("foreign programs", len(strangers.stays), 10, "on ports of the range")
    yield at_least("processes killed", stops.happened["kill"], 3, "with -9")
    yield at_least("processes stopped", stops.happened["stop"], 3, "for up to a second")
    yield at_least("sessions stopped", stops.happened["session"], 1, "of PostgreSQL, at work")
    yield at_least("sessions killed", stops.happened["killed session"], 1, "which ends all others")
    yield at_least("outages of PostgreSQL", stops.happened["postgres"], 1, "all of it, with -9")
    yield at_least("looks at the tables", stops.looks, 3, "meanwhile")
