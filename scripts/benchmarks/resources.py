"""What processes use: the memory of ours, the CPU time of ours and of PostgreSQL's."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import psutil

POSTGRES = "postgres"
INTERVAL = 0.02
"""Seconds between two looks at the memory."""


class Peak:
    """The most that this process and its children held at one moment, without PostgreSQL."""

    def __init__(self) -> None:
        self.bytes = 0

    def look(self) -> None:
        """Compare with what is held now; pages that processes share count for each."""
        held = 0
        for process in _ours():
            with suppress(psutil.Error):
                held += process.memory_info().rss
        self.bytes = max(self.bytes, held)


def _ours() -> list[psutil.Process]:
    me = psutil.Process()
    return [me, *(child for child in me.children(recursive=True) if not _is_postgres(child))]


def _is_postgres(process: psutil.Process) -> bool:
    try:
        return process.name() == POSTGRES
    except psutil.Error:
        return True


@contextmanager
def watched() -> Iterator[Peak]:
    """The peak while the block runs."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(INTERVAL):
            peak.look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def cpu_seconds(backend: int) -> Mapping[str, float]:
    """CPU time so far: this process, children that have ended, the server of that backend."""
    own = psutil.Process().cpu_times()
    postmaster = psutil.Process(psutil.Process(backend).ppid())
    spent = sum(postmaster.cpu_times()[:4])
    for process in postmaster.children():
        with suppress(psutil.Error):
            spent += sum(process.cpu_times()[:2])
    return {
        "server": own.user + own.system,
        "workers": own.children_user + own.children_system,
        "postgresql": spent,
    }
