"""Which port: a guess that is probed and asked for at once, and a search where it fails."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from undercroft.db.queries import load_queries
from undercroft.errors import LimitReached, NotFound, Unavailable
from undercroft.ports.probe import is_free

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.ports.machine import Machine

SQL = load_queries(__package__)

TRIES = 1_000
"""Searches of one call: each rules out what another program has, or what another asker was
faster to get."""


class KnownRanges(dict[str, tuple[int, int]]):
    """Ranges as they were last read: name → first port and the one after the last.

    They never change; the database looks at its own where it counts.
    """


class KnownHosts(set[str]):
    """Machines that the registry knows as they are."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """What kind of free ports is looked for."""

    range_name: str
    count: int = 1
    contiguous: bool = False
    """Whether they follow each other."""
    asker: str = ""
    """Each asker begins at a place of its own."""


class Choosing:
    """Ports of one machine that neither the registry nor another program has."""

    def __init__(self, registry: Database, machine: Machine) -> None:
        self._db = registry
        self._machine = machine

    async def one(
        self, project: str, service: str, worktree: str, range_name: str, preferred: int | None
    ) -> int:
        """The port of one service."""
        await self._introduce()
        asker = f"{project}/{worktree}/{service}"
        guess = await self._first_guess(range_name, asker)
        wanted = preferred if preferred is not None and is_free(preferred) else None
        candidates = [guess] if is_free(guess) else []
        busy = {guess} - set(candidates)
        for _ in range(TRIES):
            port = await self._db.fetch_value(
                SQL.allocate_port,
                self._machine.id,
                project,
                service,
                worktree,
                range_name,
                wanted,
                candidates,
                self._db.actor,
            )
            if port is not None:
                return int(port)
            candidates = await self._probed(Search(range_name=range_name, asker=asker), busy)
        raise _outrun()

    async def several(
        self,
        project: str,
        services: Sequence[str],
        worktree: str,
        range_name: str,
        *,
        contiguous: bool,
    ) -> dict[str, int]:
        """The ports of several services, all or none."""
        await self._introduce()
        busy: set[int] = set()
        for _ in range(TRIES):
            rows = await self._db.fetch(
                SQL.list_missing, self._machine.id, project, worktree, services
            )
            search = Search(
                range_name=range_name,
                count=len(rows),
                contiguous=contiguous,
                asker=f"{project}/{worktree}/{rows[0]['service'] if rows else ''}",
            )
            candidates = await self._probed(search, busy)
            given = await self._db.fetch(
                SQL.allocate_ports,
                self._machine.id,
                project,
                services,
                worktree,
                range_name,
                contiguous,
                candidates,
                self._db.actor,
            )
            if given:
                return {row["service"]: row["port"] for row in given}
        raise _outrun()

    async def held(self, project: str, search: Search, ttl: float, purpose: str) -> UUID:
        """A reservation of ports, all or none."""
        await self._introduce()
        busy: set[int] = set()
        for _ in range(TRIES):
            made = await self._db.fetch_value(
                SQL.reserve_ports,
                self._machine.id,
                project,
                search.count,
                ttl,
                search.range_name,
                search.contiguous,
                purpose,
                await self._probed(search, busy),
                self._db.actor,
            )
            if made is not None:
                return UUID(str(made))
        raise _outrun()

    async def free(self, search: Search) -> list[int]:
        """Ports that are free now."""
        await self._introduce()
        return await self._probed(search, set())

    async def _probed(self, search: Search, busy: set[int]) -> list[int]:
        """Ports that are free in the registry and on the machine; `busy` learns what is not.

        Raises:
            LimitReached: The range has not as many.
            NotFound: There is no such range.

        """
        for _ in range(TRIES):
            found = await self._found(search, busy)
            taken = {port for port in found if not is_free(port)}
            if not taken:
                return found
            busy |= taken
            # Probing is quick, and still another call's turn comes between.
            await asyncio.sleep(0)
        raise LimitReached(
            f"Other programs have too many ports of the range {search.range_name}.",
            hint="Name another range; list_port_ranges shows them.",
        )

    async def _found(self, search: Search, busy: set[int]) -> list[int]:
        arguments = (
            self._machine.id,
            search.range_name,
            search.count,
            search.contiguous,
            search.asker,
            sorted(busy),
        )
        try:
            return list(await self._db.fetch_value(SQL.find_ports, *arguments))
        except LimitReached:
            # What was held until a time that has passed is free, once somebody takes it back.
            if not await self._db.fetch_value(SQL.cleanup_reservations):
                raise
        return list(await self._db.fetch_value(SQL.find_ports, *arguments))

    async def _first_guess(self, range_name: str, asker: str) -> int:
        """Where the search would begin, so that mostly one statement is enough.

        The same as in the SQL function find_available_ports.
        """
        known = self._db.cached(KnownRanges)
        if range_name not in known:
            row = await self._db.fetch_row(SQL.get_range, range_name)
            if row is None:
                raise NotFound(
                    f"There is no range of ports {range_name[:64]!r}.",
                    hint="list_port_ranges shows them.",
                )
            known[range_name] = (row["first"], row["after"])
        first, after = known[range_name]
        # The leading 28 bits of a SHA-256.
        start = int(hashlib.sha256(asker.encode()).hexdigest()[:7], 16)
        return int(first + start % (after - first))

    async def _introduce(self) -> None:
        """Tell the registry about this machine, once for as long as it stays open."""
        known = self._db.cached(KnownHosts)
        if self._machine.id not in known:
            await self._db.execute(
                SQL.register_host, self._machine.id, self._machine.name, *self._machine.ephemeral
            )
            known.add(self._machine.id)


def _outrun() -> Unavailable:
    return Unavailable("Others were faster each time.", hint="Nothing was allocated. Try again.")
