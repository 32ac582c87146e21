"""A thread that carries a child's output through the veil, at the pace of whoever reads it."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import termios
import threading
import time
from collections.abc import Callable, Sequence

from undercroft.running.veil import Veil

PIECE = 1 << 18
"""Bytes read at once: what is held in memory, whatever a child writes."""

GRACE = 0.25
"""Seconds that are left to others who hold the pipe when the child has ended."""

IDLE = 0.02
"""Seconds without output after which a terminal is shown what is held, if it is next to nothing."""


class Pump(threading.Thread):
    """Reads `source` until its end; closes it when nobody reads `target` any more.

    When the child has ended, `finish` lets it deliver what is in the pipe, and what comes within
    `GRACE`; others that have inherited the pipe are not waited for.
    """

    def __init__(
        self, source: int, targets: Sequence[int], veil: Veil, done: Callable[[], None]
    ) -> None:
        """`targets` are the ends that lead to the reader; the first is written to."""
        super().__init__(daemon=True)
        self._source, self._targets, self._target = source, targets, targets[0]
        self._veil, self._done = veil, done
        self._terminal = os.isatty(self._target)
        self._woken, self._wake = os.pipe()
        self._owed = 0
        self._deadline: float | None = None
        self.unheard = False
        """Whether nobody reads the target any more."""

    def finish(self) -> None:
        """The child has ended."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b"x")

    def run(self) -> None:
        """Carry."""
        try:
            self._carry()
        finally:
            self._let_go()
            self._done()

    def _let_go(self) -> None:
        """Let the child see that nobody reads, and the reader that nobody writes any more."""
        os.close(self._source)
        if not self._terminal:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for end in self._targets:
                os.dup2(nowhere, end, inheritable=False)
            os.close(nowhere)

    def _carry(self) -> None:
        try:
            while (data := self._read()) is not None:
                self._write(self._veil.feed(data) if data else self._veil.ease())
            self._write(self._veil.close())
        except OSError:
            self.unheard = True

    def _read(self) -> bytes | None:
        """The next piece; empty if the child says nothing; None at the end."""
        waits = self._terminal and self._veil.holds
        while True:
            ready = self._wait(IDLE if waits else None)
            if self._source in ready:
                return self._piece()
            if self._woken in ready:
                self._begin_end()
            elif self._deadline is None:
                return b""
            elif time.monotonic() >= self._deadline:
                return None

    def _wait(self, seconds: float | None) -> set[int]:
        poll = select.poll()
        poll.register(self._source, select.POLLIN)
        if self._deadline is None:
            poll.register(self._woken, select.POLLIN)
        elif self._owed <= 0:
            if (left := self._deadline - time.monotonic()) <= 0:
                return set()
            seconds = left
        return {fd for fd, _ in poll.poll(None if seconds is None else seconds * 1000)}

    def _begin_end(self) -> None:
        os.read(self._woken, 1)
        waiting = array.array("i", [0])
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._source, termios.FIONREAD, waiting)
        self._owed = waiting[0]
        self._deadline = time.monotonic() + GRACE

    def _piece(self) -> bytes | None:
        try:
            data = os.read(self._source, PIECE)
        except OSError:
            # So a pty says that nobody has its other end.
            return None
        self._owed -= len(data)
        return data or None

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._target, view) :]
            except BlockingIOError:
                # Whoever shares this end with us has made it so.
                select.select([], [self._target], [])
