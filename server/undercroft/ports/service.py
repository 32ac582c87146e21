"""Ports of this machine: given, held, looked at, taken back.

The database decides who has a port; this side adds what only the machine knows, whether another
program has it. A port is probed before it is asked for, so that nothing is given first and taken
back after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, InvalidInput, NotFound
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.ports.choosing import Choosing, Search
from undercroft.ports.listening import look
from undercroft.ports.models import (
    Allocation,
    Port,
    PortDetails,
    Range,
    Reclaimed,
    Reservation,
    Sighting,
)
from undercroft.ports.names import (
    DEFAULT,
    LAST,
    check_count,
    check_path,
    check_port,
    check_range,
    check_text,
    check_ttl,
    check_worktree,
    checked_services,
    no_reservation,
    reservation_id,
    variable_of,
)
from undercroft.ports.reclaiming import reclaim

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.ports.machine import Machine

SQL = load_queries(__package__)

HISTORY = 20
"""Changes of a port's state that are told."""


class Ports:
    """Ports of one machine, kept in the registry."""

    def __init__(self, registry: Database, machine: Machine) -> None:
        self._db = registry
        self._machine = machine
        self._choosing = Choosing(registry, machine)

    async def allocate(  # noqa: PLR0913 - who asks, and for what
        self,
        project: str,
        services: Sequence[str],
        *,
        worktree: str = "",
        range_name: str = DEFAULT,
        preferred: int | None = None,
        contiguous: bool = False,
    ) -> Allocation:
        """The ports of a project's services: the same each time, new ones all or none.

        `worktree` is a folder, or empty. `preferred` is given where it is free or held for this
        project, even outside of every range; else another one.

        Raises:
            InvalidInput: A name or number is not allowed.
            NotFound: There is no such range or project.
            LimitReached: The range has not as many free ports.

        """
        wanted = checked_services(services)
        check_worktree(worktree)
        if preferred is not None and (len(wanted) > 1 or contiguous):
            raise InvalidInput("A preferred port is for one service alone.")
        if preferred is not None:
            check_port(preferred)
        if len(wanted) == 1:
            port = await self._choosing.one(project, wanted[0], worktree, range_name, preferred)
            given = {wanted[0]: port}
        else:
            given = await self._choosing.several(
                project, wanted, worktree, range_name, contiguous=contiguous
            )
        return Allocation(
            ports=given, env={variable_of(name): str(port) for name, port in given.items()}
        )

    async def variables(self, project: str, worktree: str = "") -> dict[str, str]:
        """The environment that tells an asker's services their ports: WEB_PORT → 21034."""
        rows = await self._db.fetch(SQL.list_asker_ports, self._machine.id, project, worktree)
        return {variable_of(row["service"]): str(row["port"]) for row in rows}

    async def find(
        self, count: int = 1, range_name: str = DEFAULT, *, contiguous: bool = False
    ) -> list[int]:
        """Ports that are free now; nothing is promised."""
        check_count(count)
        return await self._choosing.free(
            Search(range_name=range_name, count=count, contiguous=contiguous)
        )

    async def reserve(  # noqa: PLR0913 - what is held, and for whom
        self,
        project: str,
        count: int = 1,
        ttl: float = 3600.0,
        *,
        range_name: str = DEFAULT,
        contiguous: bool = False,
        purpose: str = "",
    ) -> Reservation:
        """Hold ports for `ttl` seconds of the database's clock.

        Raises:
            InvalidInput, NotFound, LimitReached: As of `allocate`.

        """
        check_count(count)
        check_ttl(ttl)
        check_text(purpose)
        search = Search(
            range_name=range_name,
            count=count,
            contiguous=contiguous,
            asker=f"{project}/{purpose}",
        )
        # By itself: what it locks is let go before anything else is.
        await self._db.fetch_value(SQL.cleanup_reservations)
        made = await self._choosing.held(project, search, ttl, purpose)
        return await self._reservation(project, made)

    async def renew(self, project: str, reservation: str, ttl: float = 3600.0) -> Reservation:
        """Hold for `ttl` seconds from now what is still held.

        Raises:
            NotFound: It is over, or was never this project's.

        """
        check_ttl(ttl)
        known = reservation_id(reservation)
        if await self._db.fetch_value(SQL.renew_reservation, known, project, ttl) is None:
            raise no_reservation(reservation)
        return await self._reservation(project, known)

    async def _reservation(self, project: str, known: UUID) -> Reservation:
        row = await self._db.fetch_row(SQL.get_reservation, known, project)
        if row is None:
            raise no_reservation(str(known))
        return Reservation(**row)

    async def release(
        self, project: str, services: Sequence[str] = (), *, worktree: str = "", port: int = 0
    ) -> list[int]:
        """Give back the ports of services, or one by its number; which were given back.

        Raises:
            NotFound: The project has none of them.

        """
        if bool(services) == bool(port):
            raise InvalidInput("Name services or a port, not both.")
        if port:
            check_port(port)
            known = await self._db.fetch_value(SQL.release_port, self._machine.id, project, port)
            freed = [port] if known else []
        else:
            wanted = checked_services(services)
            rows = await self._db.fetch(
                SQL.release_services, self._machine.id, project, worktree, wanted
            )
            freed = sorted(row["port"] for row in rows)
        if not freed:
            raise NotFound(
                f"The project {project} has no such port here.",
                hint="list_ports shows its ports with their worktrees.",
            )
        return freed

    async def let_go(self, project: str, reservation: str) -> None:
        """End a reservation before its time.

        Raises:
            NotFound: It is over, or was never this project's.

        """
        if (
            await self._db.fetch_value(SQL.delete_reservation, reservation_id(reservation), project)
            is None
        ):
            raise no_reservation(reservation)

    async def page(self, project: str = "", limit: int = 50, cursor: str = "") -> Page[Port]:
        """Ports of a project, or of all, by number, as they were last seen."""
        after = decode_cursor(cursor, 1)[0] if cursor else 0
        if not isinstance(after, int):
            raise InvalidInput("The cursor does not belong to this list.")
        rows = await self._db.fetch(SQL.list_ports, self._machine.id, project, after, limit + 1)
        ports = (Port.from_row(row) for row in rows)
        return page_of(ports, limit=limit, position=lambda one: [one.port])

    async def get(self, port: int) -> PortDetails:
        """Who has a port of this machine, and what was seen on it.

        Raises:
            NotFound: Nobody has it.

        """
        row = await self._db.fetch_row(SQL.get_port, self._machine.id, port)
        if row is None:
            raise NotFound(
                f"Nobody has the port {port} here.", hint="list_ports shows who has what."
            )
        seen = await self._db.fetch(SQL.list_history, self._machine.id, port, HISTORY)
        return PortDetails(port=Port.from_row(row), history=[_plain(one) for one in seen])

    async def check(
        self, project: str = "", services: Sequence[str] = (), path: str = ""
    ) -> list[Port]:
        """Look at what stands on a project's ports (empty: on all) and keep it as their status.

        `path`: also GET that path over HTTP.
        """
        check_path(path)
        ports = await self._every(project, services)
        await self._record(await look([one.port for one in ports], path))
        return await self._every(project, services)

    async def _every(self, project: str, services: Sequence[str]) -> list[Port]:
        rows = await self._db.fetch(SQL.list_ports, self._machine.id, project, 0, LAST)
        wanted = set(services)
        return [Port.from_row(row) for row in rows if not wanted or row["service"] in wanted]

    async def _record(self, seen: Sequence[Sighting]) -> None:
        columns = ("port", "state", "pid", "process", "since", "http", "latency_ms")
        values = [[getattr(one, column) for one in seen] for column in columns]
        await self._db.execute(SQL.record_sightings, self._machine.id, *values)

    async def reclaim(self, *, dry_run: bool = False) -> Reclaimed:
        """Take back ports whose worktree is gone, whose project is archived, whose time is over.

        What something still listens on is kept, and told.
        """
        return await reclaim(self._db, self._machine.id, dry_run=dry_run)

    async def forget(self) -> int:
        """Forget what was seen more than a month ago; how many times."""
        return await self._db.execute(SQL.purge_sightings)

    async def ranges(self) -> list[Range]:
        """Every range, by its first port."""
        rows = await self._db.fetch(SQL.list_ranges, self._machine.id)
        return [Range(**row) for row in rows]

    async def define_range(
        self, name: str, first_port: int, last_port: int, description: str = ""
    ) -> Range:
        """A new range, from which ports are given where it is named.

        Raises:
            InvalidInput: A name or number is not allowed.
            Conflict: It overlaps with another, or the name is another range's.

        """
        check_range(name, first_port, last_port)
        check_text(description)
        await self._db.fetch_value(
            SQL.insert_range, name, first_port, last_port, description, self._db.actor
        )
        [known] = [one for one in await self.ranges() if one.name == name]
        if (known.first_port, known.last_port) != (first_port, last_port):
            raise Conflict(f"The range {name} has other ports.", hint="Choose another name.")
        return known


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
