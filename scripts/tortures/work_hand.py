"""A process that works: it claims the best item, does something about it, and finishes it.

It follows an order of {"number", "diary", "ring"}: its number, the folder of the diaries, and items
that all of them link with each other, unlink and move about.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tortures.birth import say
from undercroft.app import open_app
from undercroft.app.ground import lay
from undercroft.errors import UndercroftError
from undercroft.settings import Settings
from undercroft.work.models import Claimed
from undercroft.work.service import Work

LOADED = (lay,)
"""What the product loads on first use, loaded once for all."""

PROJECT = "work"
LEASE = 1.0
"""Seconds of a claim."""
RING = 0.03
"""Share of the deeds that are about the ring."""
TURNERS = 4
"""Processes of which most deeds are."""
MOMENTS = 50
"""In a second."""
BUSY = 0.05
"""Seconds at the most that something takes."""
AGAIN = ("unavailable", "outcome_unknown")
EXPECTED = (*AGAIN, "conflict", "not_found")
REST = 0.02
"""Seconds after a refusal."""


@dataclass(kw_only=True)
class Diary:
    """What was answered, line by line; kill -9 loses none."""

    file: int

    def write(self, do: str, item: str, **facts: Any) -> None:
        """One line."""
        os.write(self.file, json.dumps({"do": do, "item": item} | facts).encode() + b"\n")


@dataclass(kw_only=True)
class Hand:
    """What the process does, one thing after the other."""

    work: Work
    name: str
    diary: Diary
    dice: random.Random
    ring: list[str]
    share: float
    """Of deeds about the ring."""

    async def step(self) -> None:
        """Do one thing."""
        try:
            if self.dice.random() < self.share:
                await self._turn_ring()
            else:
                await self._work()
        except UndercroftError as error:
            if error.code not in EXPECTED:
                say(error=error.code, message=error.message)
            if error.code != "conflict":
                await asyncio.sleep(REST)

    async def _turn_ring(self) -> None:
        # In one moment all choose the same two, in either order: where two links close a circle
        # together, they are made at once.
        moment = random.Random(int(time.time() * MOMENTS))  # noqa: S311 - no secret
        one, other = self.dice.sample(moment.sample(self.ring, 2), 2)
        roll = self.dice.random()
        if roll < 0.5:  # noqa: PLR2004 - a mixture
            await self.work.link(one, "blocks", other)
        elif roll < 0.9:  # noqa: PLR2004 - a mixture
            await self.work.link(one, "blocks", other, remove=True)
        else:
            place = {self.dice.choice(["before", "after"]): other}
            if roll > 0.97:  # noqa: PLR2004 - a mixture
                place = {"parent": self.dice.choice(["", other])}
            version = (await self.work.get(one)).version
            await self.work.move(one, version=version, **place)

    async def _work(self) -> None:
        claim = await self.work.claim(agent=self.name, ttl=LEASE)
        self.diary.write(
            "claim",
            claim.id,
            epoch=claim.epoch,
            version=claim.version,
            until=claim.until.timestamp(),
        )
        roll = self.dice.random()
        if roll < 0.03:  # noqa: PLR2004 - a mixture
            return  # forgotten: its time will be over
        if roll < 0.06:  # noqa: PLR2004 - a mixture
            await self._deed("release", claim, self.work.release(claim.id, claim.epoch))
            return
        if roll < 0.2:  # noqa: PLR2004 - a mixture
            await self._deed("renew", claim, self.work.renew(claim.id, claim.epoch, LEASE))
        if roll > 0.8:  # noqa: PLR2004 - a mixture
            changed = self.work.update(claim.id, {"outcome": self.name}, epoch=claim.epoch)
            await self._deed("update", claim, changed)
        # What another has lost is held long: he may come back meanwhile.
        longest = BUSY if claim.epoch == 1 else 0.9 * LEASE
        await asyncio.sleep(self.dice.uniform(longest / 2, longest))
        await self._deed("finish", claim, self.work.finish(claim.id, claim.epoch))

    async def _deed(self, do: str, claim: Claimed, deed: Any) -> None:
        try:
            answer = await deed
        except UndercroftError as error:
            self.diary.write(do, claim.id, epoch=claim.epoch, code=error.code)
            raise
        longer = {"until": answer.until.timestamp()} if isinstance(answer, Claimed) else {}
        self.diary.write(do, claim.id, epoch=claim.epoch, version=answer.version, **longer)


async def serve(settings: Settings, order: dict[str, Any]) -> None:
    """Live until killed."""
    async with open_app(settings) as app:
        while True:
            try:
                work = await app.work(PROJECT, "torture")
                break
            except UndercroftError:
                await asyncio.sleep(REST)
        path = Path(order["diary"]) / str(os.getpid())
        hand = Hand(
            work=work,
            name=f"hand {os.getpid()}",
            diary=Diary(file=os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)),
            dice=random.Random(order["number"]),  # noqa: S311 - a mixture, not a secret
            ring=order["ring"],
            share=0.9 if order["number"] % 1_000 < TURNERS else RING,
        )
        while True:
            await hand.step()
