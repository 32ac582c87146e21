"""Whether a port of this machine is free: whether it can be bound, which no database knows."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator

_ADDRESSES = (
    (socket.AF_INET, "0.0.0.0"),  # noqa: S104 - bound for a moment, never listened on
    # Where another may be bound beside the wildcard, as on BSD and macOS.
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::"),
    (socket.AF_INET6, "::1"),
)
_KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)
_TAKEN = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}


def is_free(port: int) -> bool:
    """Whether nobody on this machine has the port, over IPv4 and IPv6, TCP and UDP.

    A port that needs rights which this process lacks counts as free: it cannot be known, and is
    only ever asked for by number.
    """
    return all(_can_bind(*way, port) for way in _ways())


def _ways() -> Iterator[tuple[socket.AddressFamily, socket.SocketKind, str]]:
    for family, address in _ADDRESSES:
        for kind in _KINDS:
            yield family, kind, address


def _can_bind(
    family: socket.AddressFamily, kind: socket.SocketKind, address: str, port: int
) -> bool:
    try:
        probe = socket.socket(family, kind)
    except OSError:
        # No IPv6 here: nobody can have the port over it.
        return True
    with probe:
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM and sys.platform != "win32":
            # A connection that has just ended is no reason against a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error.errno not in _TAKEN
    return True
