"""How much is to be done, and with which fault."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from tortures.invariants import Invariant
from tortures.planted import FAULTS
from tortures.scratch import Scratch

Scenario = Callable[["Effort"], AsyncIterator[Invariant]]


@dataclass(frozen=True, kw_only=True)
class Effort:
    """What the command line asked for."""

    quick: bool = False
    minutes: float = 0.0
    """For each scenario that runs by the clock; 0: its own length."""
    fault: str = ""

    def seconds(self, usual: float, *, quick: float) -> float:
        """How long a scenario runs."""
        if self.minutes:
            return self.minutes * 60
        return quick if self.quick else usual

    def count(self, usual: int, *, quick: int) -> int:
        """How often something is done."""
        return quick if self.quick else usual

    async def plant(self, scratch: Scratch) -> None:
        """Plant the part of the fault that lies in the server, once it has its databases."""
        if self.fault:
            await FAULTS[self.fault].in_server(scratch)

    def tell(self, text: str) -> None:
        """Say what goes on, to somebody who watches."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\033[2m… {text}\033[0m\n")
