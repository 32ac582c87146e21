"""Who is at work on a repository: a row with an epoch and a time, by the database's clock.

The lease ends by itself when its holder stops renewing it. On the same machine nobody has to wait
for that: a holder names its process so that others can tell when it is dead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from undercroft.codebase.indexing.rules import RULES
from undercroft.codebase.indexing.sql import SQL
from undercroft.errors import Conflict, UndercroftError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from undercroft.db.database import Database

DURATION = 15.0
"""Seconds for which a holder is believed to be alive without a word of it."""

RENEWAL = 1.0
"""Seconds between two words; a wish to cancel is heard then too."""

NOBODY = -1
"""No epoch."""


class LeaseLost(Conflict):
    """Another process has taken over the indexing of this repository."""

    def __init__(self) -> None:
        super().__init__("Another process has taken over the indexing of this repository.")


class Cancelled(UndercroftError):
    """The indexing was cancelled; what was stored stays."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__(
            "The indexing was cancelled.", hint="index_repository goes on where it was."
        )


def myself() -> str:
    """Our process: machine since its start, name space, number, and when it began."""
    pid = os.getpid()
    return f"{_machine()} {pid} {_began(pid)}"


def is_dead(holder: str) -> bool:
    """Whether the process is surely gone; one of another machine never is."""
    machine, _, rest = holder.rpartition(" ")
    machine, _, pid = machine.rpartition(" ")
    if not machine or machine != _machine() or not pid.isdigit():
        return False
    return _began(int(pid)) != rest


@cache
def _machine() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty: there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to write to one repository's index."""

    repository: UUID
    epoch: int
    rules: str
    """The rules by which its files were read last."""
    generation: int

    @classmethod
    async def take(cls, db: Database, row: Mapping[str, Any]) -> Lease | None:
        """Begin a run; None: somebody else is at work."""
        dead = row["epoch"] if row["holder"] and is_dead(row["holder"]) else NOBODY
        taken = await db.fetch_row(SQL.take_lease, row["id"], DURATION, myself(), dead, RULES)
        if taken is None:
            return None
        return cls(
            repository=row["id"],
            epoch=taken["epoch"],
            rules=taken["rules"],
            generation=taken["generation"],
        )

    async def renew(self, db: Database, stage: str, done: int, total: int) -> None:
        """Say that we are alive, and how far.

        Raises:
            LeaseLost: Others believe that we are not.
            Cancelled: Somebody wants us to stop.

        """
        row = await db.fetch_row(
            SQL.renew_lease, self.repository, self.epoch, DURATION, stage, done, total
        )
        if row is None:
            raise LeaseLost
        if row["cancelled"]:
            raise Cancelled

    async def admit(self, db: Database, files: int) -> None:
        """Let a batch count, as the last statement of its transaction; raises as `renew`."""
        if await db.fetch_value(SQL.admit_batch, self.repository, self.epoch, files) is None:
            await self.renew(db, "storing", 0, 0)
            raise LeaseLost

    async def end(self, db: Database, status: str, error: str) -> None:
        """Give it back before all is done."""
        await db.execute(SQL.end_run, self.repository, self.epoch, status, error)
