"""A process with services that come and go: it asks for ports, gives them back, holds some a while.

It follows an order of {"number", "diary", "tree", "stable"}: its number, the folder of the diaries,
the folder that is its worktree, and that of the askers which all processes share and nobody
releases.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tortures.birth import say
from tortures.port_deeds import Diary
from undercroft.app import open_app
from undercroft.app.ground import lay
from undercroft.errors import UndercroftError
from undercroft.ports import listening
from undercroft.ports.models import Allocation, Reservation
from undercroft.ports.service import Ports
from undercroft.settings import Settings

LOADED = (lay, listening)
"""What the product loads on first use, loaded once for all."""

PROJECTS = ("left", "right")
NARROW = "narrow"
FIRST, LAST = 30_420, 31_019
"""A range so small that askers meet; it lies in two blocks of the map."""

SINGLES, GROUPS, BLOCKS = 12, 2, 2
GROUP, BLOCK = 3, 4
"""Services of one call."""
STABLE = 16
AGAIN = ("unavailable", "outcome_unknown")
EXPECTED = {
    "release": (*AGAIN, "not_found"),
    "renew": (*AGAIN, "not_found"),
    "let_go": (*AGAIN, "not_found"),
}
TOLD = 50
"""Answers after which the number is told."""
BEAT = 0.5
"""Seconds between two clearings."""
REST = 0.02
"""Seconds after a refusal."""


@dataclass(kw_only=True)
class Slot:
    """One asker, and the ports that it surely has."""

    who: str
    project: str
    worktree: str
    services: list[str]
    contiguous: bool = False
    ports: list[int] = field(default_factory=list)


@dataclass(kw_only=True)
class Held:
    """A reservation of ours."""

    id: str
    project: str
    ports: list[int]
    whole: bool


@dataclass(kw_only=True)
class Holder:
    """What the process does, one thing after the other."""

    ports: Ports
    diary: Diary
    dice: random.Random
    slots: list[Slot]
    stable: list[Slot]
    held: list[Held] = field(default_factory=list)
    done: int = 0
    beat: int = 0

    async def step(self) -> None:
        """Do one thing."""
        roll = self.dice.random()
        if roll < 0.03:  # noqa: PLR2004 - a mixture
            await self._hold()
        elif roll < 0.08:  # noqa: PLR2004 - a mixture
            await self._ask(self.dice.choice(self.stable))
        else:
            await self._use(self.dice.choice(self.slots))
        await self._tidy()

    async def _tidy(self) -> None:
        """Reclaim now and then, all processes at the same moment, as their chores may."""
        if (beat := int(time.time() / BEAT)) == self.beat:
            return
        self.beat = beat
        try:
            await self.ports.reclaim()
        except UndercroftError as error:
            if error.code not in AGAIN:
                say(error=error.code, message=f"reclaim: {error.message}")

    async def _use(self, slot: Slot) -> None:
        if not slot.ports or self.dice.random() < 0.1:  # noqa: PLR2004 - a mixture
            await self._ask(slot)
            return
        # Whatever the answer: what may have been given back is no longer surely ours.
        ports, slot.ports = slot.ports, []
        by_number = len(ports) == 1 and self.dice.random() < 0.3  # noqa: PLR2004 - a mixture
        named = {"port": ports[0]} if by_number else {"services": slot.services}
        release = self.ports.release(slot.project, worktree=slot.worktree, **named)
        await self._deed("release", slot.who, release, wanted=len(ports))

    async def _ask(self, slot: Slot, takes: tuple[Held, int] | None = None) -> None:
        where = "default" if self.dice.random() < 0.3 else NARROW  # noqa: PLR2004 - a mixture
        asked = self.ports.allocate(
            slot.project,
            slot.services,
            worktree=slot.worktree,
            range_name=where,
            contiguous=slot.contiguous,
            preferred=takes[1] if takes else None,
        )
        facts: dict[str, Any] = {"wanted": len(slot.services), "contiguous": slot.contiguous}
        if takes:
            facts["takes"] = (takes[0].project, takes[1])
        answer = await self._deed("allocate", slot.who, asked, **facts)
        if isinstance(answer, Allocation):
            slot.ports = [*answer.ports.values()]

    async def _hold(self) -> None:
        if len(self.held) < 2 or self.dice.random() < 0.3:  # noqa: PLR2004 - a mixture
            await self._reserve()
            return
        held = self.held.pop(self.dice.randrange(len(self.held)))
        roll = self.dice.random()
        free = [slot for slot in self.slots[:SINGLES] if not slot.ports]
        free = [slot for slot in free if slot.project == held.project]
        if not held.whole and free:
            await self._ask(self.dice.choice(free), (held, held.ports[0]))
        elif roll < 0.4:  # noqa: PLR2004 - a mixture
            await self._deed("let_go", held.id, self.ports.let_go(held.project, held.id))
        elif roll < 0.7:  # noqa: PLR2004 - a mixture
            ttl = self.dice.uniform(1, 3)
            renewed = self.ports.renew(held.project, held.id, ttl)
            await self._deed("renew", held.id, renewed, ttl=ttl)
        # Else it is forgotten, and ends by its time.

    async def _reserve(self) -> None:
        wanted, ttl = self.dice.randint(1, 4), self.dice.uniform(1, 3)
        whole = self.dice.random() < 0.7  # noqa: PLR2004 - a mixture
        project = self.dice.choice(PROJECTS)
        contiguous = self.dice.random() < 0.5  # noqa: PLR2004 - a mixture
        # What it is for says how many ports must be there as long as it is.
        reserved = self.ports.reserve(
            project,
            wanted,
            ttl,
            range_name=NARROW,
            contiguous=contiguous,
            purpose=f"{wanted if whole else 'any'}",
        )
        facts = {"wanted": wanted, "contiguous": contiguous, "ttl": ttl, "project": project}
        answer = await self._deed("reserve", "", reserved, **facts)
        if isinstance(answer, Reservation):
            ports = [*answer.ports]
            self.held.append(
                Held(id=str(answer.reservation), project=project, ports=ports, whole=whole)
            )

    async def _deed(self, do: str, who: str, work: Awaitable[Any], **facts: Any) -> Any:
        number = self.diary.begin(do, who, **facts)
        try:
            answer = await work
        except UndercroftError as error:
            self.diary.end(number, code=error.code, state=_state(error))
            if error.code not in EXPECTED.get(do, AGAIN):
                say(error=error.code, message=f"{do}: {error.message}")
            if error.code in AGAIN:
                await asyncio.sleep(REST)
            return None
        self.diary.end(number, **_told(answer))
        self._count(do)
        return answer

    def _count(self, do: str) -> None:
        self.done += do in ("allocate", "release")
        if self.done % TOLD == 0:
            say(done=self.done)


def _told(answer: Any) -> dict[str, Any]:
    """The part of an answer that is written down."""
    if isinstance(answer, Allocation):
        return {"ports": [*answer.ports.values()]}
    if isinstance(answer, Reservation):
        until = answer.expires_at.timestamp()
        return {"ports": [*answer.ports], "until": until, "who": str(answer.reservation)}
    return {"ports": answer or []}


def _state(error: UndercroftError) -> str:
    """The SQLSTATE of what the driver raised."""
    return str(getattr(error.__context__, "sqlstate", None) or "")


def slots_of(tree: str) -> list[Slot]:
    """The askers of a process: single ones first."""
    services = [
        *([f"single-{n}"] for n in range(SINGLES)),
        *([f"group-{n}-{m}" for m in range(GROUP)] for n in range(GROUPS)),
        *([f"block-{n}-{m}" for m in range(BLOCK)] for n in range(BLOCKS)),
    ]
    return [_slot(tree, names, PROJECTS[place % 2]) for place, names in enumerate(services)]


def stable_slots(tree: str) -> list[Slot]:
    """The askers that all processes share."""
    return [_slot(tree, [f"stable-{n}"], PROJECTS[n % 2]) for n in range(STABLE)]


def _slot(tree: str, services: list[str], project: str) -> Slot:
    return Slot(
        who=f"{project} {tree} {services[0]}",
        project=project,
        worktree=tree,
        services=services,
        contiguous=services[0].startswith("block"),
    )


async def serve(settings: Settings, order: dict[str, Any]) -> None:
    """Live until killed."""
    tree = Path(order["tree"]) / str(os.getpid())
    tree.mkdir()
    async with open_app(settings) as app:
        while True:
            try:
                ports = await app.ports("torture")
                break
            except UndercroftError:
                await asyncio.sleep(REST)
        holder = Holder(
            ports=ports,
            diary=Diary(path=Path(order["diary"]) / str(os.getpid())),
            dice=random.Random(order["number"]),  # noqa: S311 - a mixture, not a secret
            slots=slots_of(str(tree)),
            stable=stable_slots(order["stable"]),
        )
        while True:
            await holder.step()
