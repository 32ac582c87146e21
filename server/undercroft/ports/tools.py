"""Ports as tools."""

from typing import Annotated

from pydantic import Field

from undercroft.checkout import top_of
from undercroft.mcp.call import Caller
from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.ports.models import (
    Allocation,
    Port,
    PortDetails,
    Range,
    Reclaimed,
    Released,
    Reservation,
)
from undercroft.ports.names import DEFAULT
from undercroft.ports.service import Ports

tools = Toolset("ports", scope="machine")

Names = list[str]
Count = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(ge=1, le=604_800)]


@tools.write(idempotent=True)
async def allocate_port(  # noqa: PLR0913, PLR0917 - who asks, and for what
    ports: Ports,
    caller: Caller,
    service: str | Names,
    range: str = "",  # noqa: A002 - what it is called everywhere
    preferred: int = 0,
    worktree: str = "",
    contiguous: bool = False,
) -> Allocation:
    """Get ports of services on this machine: free, and the same each time.

    worktree: its folder (default: the working one).
    """
    return await ports.allocate(
        caller.project,
        [service] if isinstance(service, str) else service,
        worktree=_worktree(caller, worktree),
        range_name=range or DEFAULT,
        preferred=preferred or None,
        contiguous=contiguous,
    )


@tools.write(idempotent=True)
async def release_port(
    ports: Ports,
    caller: Caller,
    service: Names = [],  # noqa: B006 - never changed
    port: int = 0,
    worktree: str = "",
) -> Released:
    """Give ports back."""
    return Released(
        released=await ports.release(
            caller.project, service, worktree=_worktree(caller, worktree), port=port
        )
    )


@tools.read
async def list_ports(
    ports: Ports,
    caller: Caller,
    all_projects: bool = False,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Page[Port]:
    """Who has which port here, and what was last seen on it."""
    return await ports.page("" if all_projects else caller.project, limit, cursor)


@tools.write(idempotent=True)
async def check_ports(
    ports: Ports,
    caller: Caller,
    service: Names = [],  # noqa: B006 - never changed
    http_path: str = "",
) -> list[Port]:
    """Look now: what listens, which process, since when."""
    return await ports.check(caller.project, service, http_path)


@tools.write(toolset="ports_admin")
async def reserve_ports(  # noqa: PLR0913, PLR0917 - what is held, and for whom
    ports: Ports,
    caller: Caller,
    count: Count = 1,
    ttl: Seconds = 3600,
    range: str = "",  # noqa: A002 - what it is called everywhere
    contiguous: bool = False,
    purpose: str = "",
    renew: str = "",
) -> Reservation:
    """Hold ports for ttl seconds, or renew a reservation for as long from now.

    allocate_port with preferred takes one of them over for a service.
    """
    if renew:
        return await ports.renew(caller.project, renew, ttl)
    return await ports.reserve(
        caller.project,
        count,
        ttl,
        range_name=range or DEFAULT,
        contiguous=contiguous,
        purpose=purpose,
    )


@tools.write(toolset="ports_admin", idempotent=True)
async def release_reservation(ports: Ports, caller: Caller, reservation: str) -> None:
    """Let reserved ports go before their time."""
    await ports.let_go(caller.project, reservation)


@tools.read(toolset="ports_admin", scope="registry")
async def get_port(ports: Ports, port: Annotated[int, Field(ge=1, le=65535)]) -> PortDetails:
    """Show who has a port of this machine, with the history of what stood on it."""
    return await ports.get(port)


@tools.read(toolset="ports_admin", scope="registry")
async def find_available_port(
    ports: Ports,
    count: Count = 1,
    range: str = "",  # noqa: A002 - what it is called everywhere
    contiguous: bool = False,
) -> list[int]:
    """See which ports are free now. Nothing is promised: allocate_port gives one."""
    return await ports.find(count, range or DEFAULT, contiguous=contiguous)


@tools.write(toolset="ports_admin", scope="registry", idempotent=True)
async def reclaim_ports(ports: Ports, dry_run: bool = False) -> Reclaimed:
    """Take back ports whose worktree is gone, project archived or reservation over.

    What still listens is kept, and told.
    """
    return await ports.reclaim(dry_run=dry_run)


@tools.read(toolset="ports_admin", scope="registry")
async def list_port_ranges(ports: Ports) -> list[Range]:
    """List the ranges that ports are given from, and how full they are."""
    return await ports.ranges()


@tools.write(toolset="ports_admin", scope="registry", idempotent=True)
async def define_port_range(
    ports: Ports, name: str, first_port: int, last_port: int, description: str = ""
) -> Range:
    """Make a range that allocate_port can name."""
    return await ports.define_range(name, first_port, last_port, description)


def _worktree(caller: Caller, given: str) -> str:
    return given or (str(top_of(caller.folder)) if caller.folder else "")
