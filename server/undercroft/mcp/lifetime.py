"""When a server has to go: its client is gone, or somebody wants it to end.

A thread of its own watches, so that even a busy event loop cannot keep an orphan alive.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger("undercroft.lifetime")

LOOK = 2.0
"""Seconds between looks at the parent, where the system cannot tell by itself that it died."""

GRACE = 15.0
"""Seconds beyond the deadline of calls until the process ends whatever it is doing: closing
connections and stopping an embedded PostgreSQL belong to a good end."""

WRAPPERS = frozenset({"uv", "uvx", "pipx", "sh", "bash", "dash", "zsh", "ash"})
"""Programs that only start others: the client is the process behind them."""


class Lifetime:
    """Tells when the server has to end, and makes sure that it does.

    `patience`: seconds that calls in flight may still take. `output`: the descriptor on which
    the client listens; when it is closed, nobody does.
    """

    def __init__(self, patience: float, *, output: int | None = None, client: bool = False) -> None:
        self.patience = patience
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._output = output
        self._ancestors = _ancestors() if client else []
        self._listen_to_signals()
        if client or output is not None:
            threading.Thread(target=self._watch, name="lifetime", daemon=True).start()

    def end(self, reason: str) -> None:
        """Begin the end; called on the event loop."""
        if self.over.is_set():
            return
        log.info("ending", reason=reason)
        self.over.set()
        threading.Thread(target=self._insist, name="deadline", daemon=True).start()

    def _insist(self) -> None:
        time.sleep(self.patience + GRACE)
        leave(1)

    def _listen_to_signals(self) -> None:
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            # Windows has neither the last one nor handlers on its event loop.
            with suppress(NotImplementedError, AttributeError, ValueError, RuntimeError):
                self._loop.add_signal_handler(getattr(signal, name), self._signalled)

    def _signalled(self) -> None:
        if self.over.is_set():
            leave(1)
        self.end("signal")

    def _watch(self) -> None:
        reason = _wait_for_absence(self._ancestors, self._output)
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.end, reason)
        self._insist()


def _wait_for_absence(ancestors: list[int], output: int | None) -> str:
    """Return once a process is gone or the output has no reader."""
    if not hasattr(select, "poll"):
        _look_at_parent(ancestors)
        return "parent_gone"
    poller = select.poll()
    told, untold = _watched(ancestors)
    for descriptor in told:
        poller.register(descriptor, select.POLLIN)
    if output is not None:
        poller.register(output, 0)
    parent = os.getppid()
    while True:
        for descriptor, _ in poller.poll(LOOK * 1000 if untold else None):
            return "pipe_closed" if descriptor == output else "parent_gone"
        if untold and (os.getppid() != parent or not all(map(_exists, untold))):
            return "parent_gone"


def _watched(ancestors: list[int]) -> tuple[list[int], list[int]]:
    """Descriptors that tell of a process's end, and the processes that have none."""
    told, untold = [], []
    for process in ancestors:
        try:
            told.append(os.pidfd_open(process))  # type: ignore[attr-defined,unused-ignore]
        except (AttributeError, OSError):
            untold.append(process)
    return told, untold


def _look_at_parent(ancestors: list[int]) -> None:
    parent = ancestors[0] if ancestors else os.getppid()
    while os.getppid() == parent:
        time.sleep(LOOK)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ancestors() -> list[int]:
    """The process that started us and, behind wrappers such as `uvx`, the client itself."""
    found = [os.getppid()]
    while (parent := _parent_of_wrapper(found[-1])) is not None and len(found) < 8:  # noqa: PLR2004
        found.append(parent)
    return [process for process in found if process > 1]


def _parent_of_wrapper(process: int) -> int | None:
    try:
        stat = Path(f"/proc/{process}/stat").read_text("utf-8")
    except (OSError, ValueError):
        return None
    # pid (name) state ppid …; the name itself may hold spaces and parentheses.
    name, _, rest = stat.partition("(")[2].rpartition(")")
    return int(rest.split()[1]) if name in WRAPPERS else None


def leave(status: int = 0) -> None:
    """End the process now: a thread in read(2) would keep the interpreter waiting."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
