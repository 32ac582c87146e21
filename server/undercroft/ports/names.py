"""What a service, a range, a reservation may be called, and how many may be asked for at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from undercroft.errors import InvalidInput, NotFound

_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_RANGE = re.compile(r"[a-z][a-z0-9_-]{0,47}")
_PATH = re.compile(r"/[!-~]{0,1000}")
_MAX_WORKTREE = 4096
_MAX_TEXT = 1_000

DEFAULT = "default"
"""The range that ports are given from where none is named."""
MOST = 100
"""Services of one call, and ports of one reservation."""
MAX_TTL = 7 * 24 * 3600.0
"""Seconds for which a reservation may hold without being renewed."""
FIRST, LAST = 1024, 65535
"""Below the first a program needs rights that a development server should not have (RFC 6335)."""


def checked_services(services: Sequence[str]) -> list[str]:
    """The services without repetitions.

    Raises:
        InvalidInput: None, too many, or a name that is none.

    """
    wanted = list(dict.fromkeys(services))
    if not 1 <= len(wanted) <= MOST:
        raise InvalidInput(f"One call is for 1 to {MOST} services.")
    for name in wanted:
        if not _SERVICE.fullmatch(name):
            raise InvalidInput(
                "A service's name has 1 to 64 characters out of a-z, A-Z, 0-9, _, . and -.",
                hint="For example web or api.v2.",
            )
    return wanted


def variable_of(service: str) -> str:
    """The environment variable of a service: web-api → WEB_API_PORT."""
    name = re.sub(r"[^A-Za-z0-9]", "_", service).upper()
    return f"{'_' if name[0].isdigit() else ''}{name}_PORT"


def check_port(port: int) -> None:
    """Refuse a number that no port can have."""
    if not 1 <= port <= LAST:
        raise InvalidInput(f"A port is a number from 1 to {LAST}.")


def check_worktree(worktree: str) -> None:
    """Refuse a path that is none."""
    if len(worktree) > _MAX_WORKTREE:
        raise InvalidInput(f"A worktree's path has at most {_MAX_WORKTREE} characters.")


def check_count(count: int) -> None:
    """Refuse more ports than one call may ask for."""
    if not 1 <= count <= MOST:
        raise InvalidInput(f"Ask for 1 to {MOST} ports at once.")


def check_ttl(ttl: float) -> None:
    """Refuse to hold for longer than somebody would remember."""
    if not 1 <= ttl <= MAX_TTL:
        raise InvalidInput(f"A reservation holds for 1 to {MAX_TTL:.0f} seconds; renew it.")


def check_text(text: str) -> None:
    """Refuse a purpose or description that is longer than a person would read."""
    if len(text) > _MAX_TEXT:
        raise InvalidInput(f"A purpose or description has at most {_MAX_TEXT} characters.")


def check_range(name: str, first_port: int, last_port: int) -> None:
    """Refuse a name that is none, and ports that cannot be given."""
    if not _RANGE.fullmatch(name):
        raise InvalidInput("A range's name has up to 48 characters out of a-z, 0-9, _ and -.")
    if not FIRST <= first_port <= last_port <= LAST:
        raise InvalidInput(
            f"A range lies within {FIRST} and {LAST}, its first port not above its last."
        )


def check_path(path: str) -> None:
    """Refuse what is no path of a URL on this machine."""
    if path and not _PATH.fullmatch(path):
        raise InvalidInput("A path for HTTP begins with / and has no spaces.", hint="/health")


def reservation_id(text: str) -> UUID:
    """The identity of a reservation.

    Raises:
        NotFound: No reservation can have it.

    """
    try:
        return UUID(text)
    except ValueError:
        raise no_reservation(text) from None


def no_reservation(text: str) -> NotFound:
    """The error for a reservation that is over, or never was."""
    return NotFound(
        f"This project has no reservation {text[:64]!r}.",
        hint="It may be over: reserve_ports again.",
    )
