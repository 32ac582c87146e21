"""Calls over stdio, against the bare statement plus a call that does nothing on the same server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.client import Client, served
from benchmarks.figures import Figure, Judgement
from benchmarks.frame import Effort, interleave, timed
from benchmarks.ground import DOCUMENT, bare_connection, scratch_app
from benchmarks.records import Bare, Turns, seeded

if TYPE_CHECKING:
    from benchmarks.figures import Medians

PROJECT = "stdio"
TARGET = 1.3

REST = 0.002
"""Seconds between two operations: far less than an agent takes to think, enough for the server to
write its log. Without it a call pays for what the one before has left, a bare statement does not.
"""


@dataclass(kw_only=True)
class OverStdio:
    """Calls as a client makes them, inside the project's folder or naming it."""

    client: Client
    turns: Turns

    async def get(self) -> None:
        """Read a record."""
        self.client.call("get_entity", {"project": PROJECT, "id": str(self.turns.read())})

    async def create(self) -> None:
        """Store a record."""
        self.client.call("create_entity", {"project": PROJECT, "type": "task", "data": DOCUMENT})

    async def update(self) -> None:
        """Replace a record's data."""
        entity, version = self.turns.change()
        change = {"id": str(entity), "version": version, "data": DOCUMENT}
        self.client.call("update_entity", {"project": PROJECT, **change})

    async def nothing(self) -> None:
        """Do nothing."""
        self.client.call("do_nothing", {})


def times_sum(medians: Medians) -> float:
    """How many times the sum of the bare statement and the empty call."""
    return medians["ours"] / _sum(medians)


def _sum(medians: Medians) -> float:
    return medians["bare"] + medians["nothing"]


async def measure(effort: Effort) -> AsyncIterator[Figure]:
    """Get, create and update over stdio."""
    async with scratch_app() as app:
        mine, its = await seeded(app, PROJECT)
        with served(("-m", "benchmarks.noop_server"), app.settings.home) as (client, _):
            client.start()
            async with bare_connection(app, f"project_{PROJECT}") as connection:
                ours = OverStdio(client=client, turns=mine)
                alone = Bare(connection=connection, turns=its)
                for name in ("get", "create", "update"):
                    effort.tell(f"stdio: {name}")
                    sides = {
                        "ours": timed(getattr(ours, name), rest=REST),
                        "bare": timed(getattr(alone, name), rest=REST),
                        "nothing": timed(ours.nothing, rest=REST),
                    }
                    samples = await interleave(sides, rounds=effort.rounds(600, 80), warm=50)
                    yield _judgement(name).figure(samples)


def _judgement(name: str) -> Judgement:
    return Judgement(
        name=f"{name} over stdio",
        meaning=f"{name}_entity over stdio, against its bare statement plus an empty call on the "
        "same server",
        unit="ms",
        value_unit="x",
        target=TARGET,
        of=times_sum,
        baseline=_sum,
    )
