"""A terminal of the child's own, behind which ours stands.

The child must see a terminal, or it would show no colours and ask no questions. It gets a pty in a
session of its own. The leader of that session, the warden, does what a shell does: it keeps the
child in the foreground and notices when it is stopped; without it Ctrl-Z would do nothing, since
nobody in the session could continue the child (POSIX: an orphaned process group). The warden also
restores our terminal when we are killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import threading
import tty
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

STARTED, STOPPED, ENDED = range(3)

_EVENT = struct.Struct("=ii")
_PAUSE = 0.2
"""Seconds after which a process in the background looks whether it still is there."""


class Screen:
    """Our terminal: its modes, its size, and whether we may read from it."""

    def __init__(self, keyboard: int | None, screen: int) -> None:
        self.keyboard = keyboard
        self._screen = screen
        self._modes: list[Any] = termios.tcgetattr(screen if keyboard is None else keyboard)

    def is_ours(self) -> bool:
        """Whether we stand in its foreground."""
        try:
            return self.keyboard is not None and os.tcgetpgrp(self.keyboard) == os.getpgrp()
        except OSError:
            return False

    def hand_over(self) -> None:
        """Let every key reach the child's terminal as it is, if we may."""
        if self.keyboard is not None and self.is_ours():
            tty.setraw(self.keyboard, termios.TCSANOW)

    def restore(self) -> None:
        """As it was."""
        if self.keyboard is not None and self.is_ours():
            self.restore_anyway()

    def restore_anyway(self) -> None:
        """As it was, whoever stands in the foreground."""
        if self.keyboard is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.keyboard, termios.TCSANOW, self._modes)

    def open_pty(self) -> tuple[int, int]:
        """A terminal like this one: what we read, and what the child has."""
        ours, childs = pty.openpty()
        termios.tcsetattr(childs, termios.TCSANOW, self._modes)
        self.copy_size(ours)
        return ours, childs

    def copy_size(self, ours: int) -> None:
        """Tell the child's terminal how large ours is; the kernel tells the child (SIGWINCH)."""
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self._screen, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(ours, termios.TIOCSWINSZ, size)


class Keys(threading.Thread):
    """Carries what is typed to the child's terminal, while we are in the foreground."""

    def __init__(self, screen: Screen, target: int) -> None:
        super().__init__(daemon=True)
        self._screen, self._target = screen, target

    def run(self) -> None:
        """Carry."""
        keyboard = self._screen.keyboard
        if keyboard is None:
            return
        pause = threading.Event()
        with contextlib.suppress(OSError):
            while select.select([keyboard], [], []):
                if not self._screen.is_ours():
                    # To read now would stop us, though the child may not read at all.
                    pause.wait(_PAUSE)
                    continue
                if not (data := os.read(keyboard, 4096)):
                    return
                while data:
                    data = data[os.write(self._target, data) :]


@dataclass(frozen=True, kw_only=True)
class Post:
    """What a warden is told, and how it tells."""

    screen: Screen
    terminal: int
    """The child's."""
    ours: AbstractSet[int]
    """Ends that only the main process may hold: that they close is how the child learns of it."""
    childs: AbstractSet[int]
    """Ends that only the child may hold: that they close is how we learn of its end."""
    reports: int
    orders: int
    """It ends when the main process has ended, or needs the warden no more."""


def keep_watch(post: Post, start: Callable[[], None]) -> None:
    """The warden's life, in a process of its own; `start` turns another one into the program."""
    parent = os.getppid()
    os.setsid()
    for end in post.ours:
        os.close(end)
    fcntl.ioctl(post.terminal, termios.TIOCSCTTY, 0)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        _take_foreground(post.terminal)
        start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGHUP})
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDWR), 2)
    for end in post.childs:
        os.close(end)

    def tell(kind: int, value: int) -> None:
        with contextlib.suppress(OSError):
            os.write(post.reports, _EVENT.pack(kind, value))
            if os.getppid() == parent:
                os.kill(parent, signal.SIGCHLD)

    tell(STARTED, child)
    _watch(child, post.screen, tell)
    os.read(post.orders, 1)


def _take_foreground(terminal: int) -> None:
    """Make this process's group the one that the terminal's keys are for."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    os.tcsetpgrp(terminal, os.getpid())
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _watch(child: int, screen: Screen, tell: Callable[[int, int], None]) -> None:
    """Until the child has ended."""
    while True:
        found, status = os.waitpid(child, os.WUNTRACED | os.WNOHANG)
        if not found:
            if signal.sigwait({signal.SIGCHLD, signal.SIGHUP}) == signal.SIGHUP:
                # Nobody holds the other end any more: whoever made our terminal raw is dead.
                screen.restore_anyway()
                # The kernel tells the leader of a session alone.
                for number in (signal.SIGHUP, signal.SIGCONT):
                    os.killpg(child, number)
        elif os.WIFSTOPPED(status):
            tell(STOPPED, os.WSTOPSIG(status))
        else:
            tell(ENDED, os.waitstatus_to_exitcode(status))
            return


def wait_for(source: int) -> None:
    """Until the warden tells something."""
    select.select([source], [], [])


def read_reports(source: int) -> list[tuple[int, int]]:
    """What the warden has told since; the end of the warden is told as the child's death."""
    found: list[tuple[int, int]] = []
    while select.select([source], [], [], 0)[0]:
        data = os.read(source, _EVENT.size)
        if not data:
            return [*found, (ENDED, -int(signal.SIGKILL))]
        found.append(_EVENT.unpack(data))
    return found
