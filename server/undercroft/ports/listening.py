"""What stands on ports of this machine: which process, since when, and whether it answers."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from undercroft.ports.models import Sighting

PATIENCE = 2.0
"""Seconds for a connection, and for an answer."""

AT_ONCE = 32
"""Ports that are looked at side by side."""

_FAILING = 500


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that has a port; another user's is not told."""

    pid: int | None = None
    name: str | None = None
    since: datetime | None = None


async def look(ports: Collection[int], path: str = "") -> Sequence[Sighting]:
    """What stands on each port; `path`: whether it also answers a GET of that path over HTTP."""
    holders = await asyncio.to_thread(holders_of, frozenset(ports))
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(port: int) -> Sighting:
        async with turn:
            return await _look_at(port, holders.get(port), path)

    return await asyncio.gather(*map(one, ports))


def holders_of(ports: Collection[int]) -> dict[int, Holder]:
    """Which of the ports are bound, over TCP or UDP, and by whom. It blocks: ask in a thread."""
    import psutil  # noqa: PLC0415 - for whoever looks alone

    try:
        sockets = psutil.net_connections("inet")
    except psutil.AccessDenied:
        # On macOS only root sees them all: what connects is seen anyway.
        return {}
    found: dict[int, Holder] = {}
    for one in sockets:
        listens = one.status == psutil.CONN_LISTEN or (
            one.type == socket.SOCK_DGRAM and not one.raddr
        )
        port = one.laddr.port if one.laddr else 0
        if listens and port in ports and port not in found:
            found[port] = _holder(one.pid, psutil)
    return found


def _holder(pid: int | None, processes: Any) -> Holder:
    if pid is None:
        return Holder()
    with suppress(processes.Error):
        process = processes.Process(pid)
        # Its name alone: the words of a command line may hold secrets.
        return Holder(
            pid=pid,
            name=process.name()[:255],
            since=datetime.fromtimestamp(process.create_time(), UTC),
        )
    return Holder(pid=pid)


async def _look_at(port: int, holder: Holder | None, path: str) -> Sighting:
    milliseconds = await _connect(port)
    if milliseconds is None and holder is None:
        return Sighting(port=port, state="silent")
    status = None
    if path:
        milliseconds, status = await _get(port, path)
    failing = bool(path) and (status is None or status >= _FAILING)
    seen = holder or Holder()
    return Sighting(
        port=port,
        state="failing" if failing else "listening",
        pid=seen.pid,
        process=seen.name,
        since=seen.since,
        http=status,
        latency_ms=milliseconds,
    )


async def _connect(port: int) -> float | None:
    """Milliseconds until a connection stood; None where none did."""
    for address in ("127.0.0.1", "::1"):
        started = time.perf_counter()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                _, writer = await asyncio.open_connection(address, port)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return (time.perf_counter() - started) * 1000
    return None


async def _get(port: int, path: str) -> tuple[float | None, int | None]:
    """Milliseconds and status code of an answer over HTTP; None where none came."""
    import httpx2  # noqa: PLC0415 - for whoever asks alone

    started = time.perf_counter()
    try:
        # Straight to this machine, whatever proxy the environment names.
        async with (
            asyncio.timeout(PATIENCE),
            httpx2.AsyncClient(trust_env=False) as client,
            client.stream("GET", f"http://localhost:{port}{path}") as answer,
        ):
            # Its head is enough: a body may be endless.
            return (time.perf_counter() - started) * 1000, answer.status_code
    except (httpx2.HTTPError, TimeoutError):
        return None, None
