"""From what each process was told to who surely had a port from when to when, and what is wrong.

A port is surely somebody's from the answer that gave it to the moment in which he asked to give it
back, or died, or his time was over; what was in doubt counts for nothing. No order of the questions
is needed: two sure times of one port may not overlap.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tortures.port_deeds import Deed
from tortures.port_strangers import Stay

FOREVER = math.inf

Taken = defaultdict[tuple[str, int], list[Deed]]
"""Project and port → questions for it by number."""


@dataclass(kw_only=True)
class Hold:
    """One port that was surely somebody's."""

    port: int
    who: str
    process: int
    asked: float
    """When the first question was asked that may have got it."""
    start: float
    end: float = FOREVER
    released: bool = False
    """Whether he has asked to give it back, be it in the moment in which he was killed."""


@dataclass(kw_only=True)
class Story:
    """All holds, and the answers that no room may give."""

    holds: list[Hold]
    moved: list[str]
    """Askers that had a port and were told another."""
    torn: list[str]
    """Answers with a part of what was asked for."""
    early: list[str]
    """Reservations that were over before their time."""


def told(deeds: Sequence[Deed], deaths: Mapping[int, float], shared: str) -> Story:
    """The holds; `deaths`: process → when it was killed; `shared`: a word of askers of all."""
    story = Story(holds=[], moved=[], torn=[], early=[])
    by_who: defaultdict[str, list[Deed]] = defaultdict(list)
    for deed in sorted(deeds, key=lambda one: one.began):
        if deed.done and deed.do in ("allocate", "reserve"):
            story.torn += _torn(deed)
        by_who[deed.who].append(deed)
    taken: Taken = defaultdict(list)
    for deed in deeds:
        if deed.takes:
            taken[deed.takes].append(deed)
    for who, own in by_who.items():
        if shared in who:
            story.holds += _forever(own, story)
        elif own[0].do == "reserve":
            story.holds += _reserved(own, taken, deaths, story)
        else:
            story.holds += _asked(own, deaths, story)
    return story


def _torn(deed: Deed) -> Iterator[str]:
    ports = sorted(deed.ports)
    whole = len(set(ports)) == deed.wanted
    if not whole or (deed.contiguous and ports[-1] - ports[0] != deed.wanted - 1):
        yield f"{deed.who}: {list(deed.ports)}"


def _forever(own: Iterable[Deed], story: Story) -> Iterator[Hold]:
    """Askers that never release: one port, whoever asks for them."""
    answers = sorted((deed for deed in own if deed.done), key=lambda one: one.ended or 0)
    if answers:
        [port] = answers[0].ports
        story.moved += [f"{one.who}: {port}, {one.ports}" for one in answers if one.ports != [port]]
        start = answers[0].ended or 0
        asked = min(deed.began for deed in own)
        yield Hold(port=port, who=answers[0].who, process=0, asked=asked, start=start)


def _reserved(
    own: Sequence[Deed],
    taken: Taken,
    deaths: Mapping[int, float],
    story: Story,
) -> Iterator[Hold]:
    made, later = own[0], own[1:]
    if not made.done:
        return
    end = made.until
    for deed in later:
        if deed.do == "renew" and deed.code == "not_found" and (deed.ended or 0) < end:
            story.early.append(f"{deed.who}: {end - (deed.ended or 0):.3f} s before its time")
        # In doubt, it may have been shortened; else it is as it was told.
        end = deed.until if deed.done and deed.do == "renew" else min(end, deed.began + deed.ttl)
    for port in made.ports:
        # What a project has reserved is for any of its services that asks for it by number.
        takers = (one for one in taken[made.project, port] if (one.ended or FOREVER) > made.began)
        until = min(end, *(one.began for one in takers), deaths.get(made.process, FOREVER))
        yield _hold(made, port, made.began, until)


def _asked(own: Sequence[Deed], deaths: Mapping[int, float], story: Story) -> Iterator[Hold]:
    asked: float | None = None
    open_holds: list[Hold] = []
    for deed in own:
        if deed.do == "release":
            for hold in open_holds:
                hold.end = min(hold.end, deed.began)
                hold.released = True
            open_holds = []
            # In doubt it may still be his, as it was.
            asked = asked if deed.in_doubt or deed.code == "unavailable" else None
            continue
        asked = deed.began if asked is None else asked
        if not deed.done:
            continue
        had = [hold.port for hold in open_holds]
        if had and had != list(deed.ports):
            story.moved.append(f"{deed.who}: {had}, {list(deed.ports)}")
        if had != list(deed.ports):
            death = deaths.get(deed.process, FOREVER)
            open_holds = [_hold(deed, port, asked, death) for port in deed.ports]
            yield from open_holds


def _hold(deed: Deed, port: int, asked: float, end: float) -> Hold:
    start = deed.ended or 0
    return Hold(
        port=port, who=deed.who, process=deed.process, asked=asked, start=start, end=max(start, end)
    )


def doubles(holds: Iterable[Hold]) -> Iterator[str]:
    """Ports that two surely had at once."""
    by_port: defaultdict[int, list[Hold]] = defaultdict(list)
    for hold in holds:
        by_port[hold.port].append(hold)
    for port, own in by_port.items():
        last: Hold | None = None
        for hold in sorted(own, key=lambda one: one.start):
            if last is not None and hold.start < last.end and hold.end > hold.start:
                yield f"{port}: {last.who} and {hold.who}"
            if last is None or hold.end > last.end:
                last = hold


def on_strangers(holds: Iterable[Hold], stays: Iterable[Stay]) -> Iterator[str]:
    """Ports that were given although a foreign program had them before anybody asked."""
    by_port: defaultdict[int, list[Stay]] = defaultdict(list)
    for stay in stays:
        by_port[stay.port].append(stay)
    for hold in holds:
        for stay in by_port.get(hold.port, ()):
            if stay.began < hold.asked and stay.ended > hold.start:
                yield f"{hold.port}: {stay.kind} and {hold.who}"
