"""Values of the ports room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

State = Literal["listening", "silent", "failing"]
"""`failing`: something listens and does not answer over HTTP, or with a status of 500 or more."""


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """What an asker was given."""

    ports: Mapping[str, int]
    """Service → port, in the order of the question."""
    env: Mapping[str, str]
    """The same as variables: web-api → WEB_API_PORT."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """One port that is somebody's."""

    port: int
    service: str | None
    """None: held by a reservation."""
    project: str
    worktree: str | None
    """Folder of the checkout; None where the service has none."""
    host: str
    """Name of the machine."""
    reservation: UUID | None = None
    expires_at: datetime | None = None
    state: State | None = None
    """As it was last seen; None: nobody has looked."""
    pid: int | None = None
    process: str | None = None
    since: datetime | None = None
    """When that process was started."""
    http: int | None = None
    """Status code of the last HTTP answer."""
    latency_ms: float | None = None
    """Milliseconds until a connection stood, or the HTTP answer came."""
    checked_at: datetime | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A port from a row of `list_ports`."""
        return cls(**dict(row))


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What stood on a port when somebody looked."""

    port: int
    state: State
    pid: int | None = None
    process: str | None = None
    since: datetime | None = None
    http: int | None = None
    latency_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class PortDetails:
    """One port with what was seen on it before, the newest first."""

    port: Port
    history: Sequence[Mapping[str, Any]]
    """Up to 20 changes of state: state, process, at."""


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """Ports that are held for a while."""

    reservation: UUID
    ports: Sequence[int]
    expires_at: datetime
    """By the database's clock."""


@dataclass(frozen=True, kw_only=True)
class Released:
    """What was given back."""

    released: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Range:
    """A range of ports, and how full it is on this machine."""

    name: str
    first_port: int
    last_port: int
    description: str
    used: int


@dataclass(frozen=True, kw_only=True)
class Freed:
    """One port that was given back, or would be."""

    port: int
    service: str | None
    project: str
    worktree: str | None
    reason: Literal["worktree gone", "project archived", "reservation over"]


@dataclass(frozen=True, kw_only=True)
class Reclaimed:
    """What a clearing has given back."""

    freed: Sequence[Freed]
    kept: Sequence[Freed]
    """Whose reason to be is gone, but something listens there still."""
