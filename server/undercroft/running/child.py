"""A child process whose output passes a veil, and which is otherwise as if we were not there.

A child that has no secret to hide takes our place (exec). Another one is started without a shell:

- Standard input is passed on as it is. Where standard output is a terminal, the child has a pty in
  a session of its own; else pipes, in our process group, so that who kills the group kills it too.
  Two outputs that lead to the same place stay one, in their order.
- A signal is handed on once. What the terminal sends to the whole foreground (Ctrl-C) the child
  has already. Who sends a signal to our whole process group sends it to the child as well as to us.
- The child's exit status is ours, and so is the signal that it dies of.
- If we are killed with SIGKILL, the child is told to end: on Linux with SIGTERM; behind a pty with
  SIGHUP, as when a terminal is closed.
- Programs that the child has left behind are not waited for.

What a program writes past its standard outputs, to a file or in the pipe case to /dev/tty, does not
come by here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from undercroft.running import terminal
from undercroft.running.program import become, dying_with, find_program
from undercroft.running.pump import Pump
from undercroft.running.terminal import ENDED, STARTED, STOPPED, Keys, Post, Screen
from undercroft.running.veil import Needles, Veil

HANDED_ON = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_NOTICED = {signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT}
_SI_KERNEL = 0x80


def run_child(
    words: Sequence[str], environment: Mapping[str, str], secrets: Mapping[str, str]
) -> int:
    """Run a command to its end; its exit status, or minus the signal that it died of.

    `secrets` are what its output must not show, by name. Without any, this does not return.

    Raises:
        NotStarted: There is no such command, or it cannot be executed.

    """
    program = find_program(words[0], environment)
    needles = Needles(secrets)
    if not needles:
        become(program, words, environment)
    signals = Signals()
    start = Start(program=program, words=words, environment=environment, mask=signals.before)
    child = _behind_pty(start, needles) if os.isatty(1) else _behind_pipes(start, needles)
    return child.see_to_end(signals)


def end_as(status: int) -> int:
    """End as the child has ended: of the same signal, or with the status that is returned."""
    if status >= 0:
        return status
    # The child has left a core of its own, if it was to.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with contextlib.suppress(OSError, ValueError):
        signal.signal(-status, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
    os.kill(os.getpid(), -status)
    return 128 - status


class Signals:
    """What is sent to us, one after the other, without a handler that breaks into something."""

    def __init__(self) -> None:
        # Where it was ignored nobody would be told how a child ended.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # What is ignored, by nohup for example, stays so, here and in the child.
        handed = {one for one in HANDED_ON if signal.getsignal(one) != signal.SIG_IGN}
        self._waited = handed | _NOTICED
        self.before = signal.pthread_sigmask(signal.SIG_BLOCK, self._waited)

    def next(self) -> tuple[signal.Signals, bool]:
        """Wait for one; and whether the terminal has sent it to the whole foreground."""
        if hasattr(signal, "sigwaitinfo"):
            info = signal.sigwaitinfo(self._waited)
            return signal.Signals(info.si_signo), info.si_code == _SI_KERNEL
        # macOS does not say who has sent it.
        number = signal.Signals(signal.sigwait(self._waited))
        return number, number in (signal.SIGINT, signal.SIGQUIT) and _in_foreground()


def _in_foreground() -> bool:
    for stream in (0, 1, 2):
        with contextlib.suppress(OSError):
            return os.tcgetpgrp(stream) == os.getpgrp()
    return False


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a forked process needs to become the program."""

    program: str
    words: Sequence[str]
    environment: Mapping[str, str]
    mask: set[int | signal.Signals]
    die: Callable[[], None] = field(default_factory=lambda: dying_with(os.getpid()))

    def become(self, streams: Mapping[int, int]) -> NoReturn:
        """Be the program, with these as its standard streams."""
        for number, end in streams.items():
            os.dup2(end, number)
        signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
        become(self.program, self.words, self.environment)


def forked(life: Callable[[], None]) -> int:
    """The id of a process that does this and ends."""
    pid = os.fork()
    if pid:
        return pid
    try:
        life()
    finally:
        os._exit(0)


@dataclass(kw_only=True)
class Child:
    """A started child, and the threads that carry its words."""

    pid: int
    pumps: list[Pump] = field(default_factory=list)
    status: int | None = None

    def see_to_end(self, signals: Signals) -> int:
        """Until it has ended and all that it said is told."""
        for pump in self.pumps:
            pump.start()
        while self.status is None or any(pump.is_alive() for pump in self.pumps):
            number, to_all = signals.next()
            if number in _NOTICED:
                self.notice(number)
            elif self.status is not None:
                # Somebody has no patience with a slow reader.
                self.status = -number
                break
            else:
                self.hand_on(number, to_all=to_all)
        self.leave()
        return self.status

    def notice(self, number: signal.Signals) -> None:
        """Look whether it has ended."""
        if number != signal.SIGCHLD or self.status is not None:
            return
        found, status = os.waitpid(self.pid, os.WNOHANG)
        if found:
            self.ended(os.waitstatus_to_exitcode(status))

    def ended(self, status: int) -> None:
        """It has ended; what it has said is still on its way."""
        self.status = status
        for pump in self.pumps:
            pump.finish()

    def hand_on(self, number: signal.Signals, *, to_all: bool) -> None:
        """Pass a signal on that the child has not got."""
        if not to_all:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def leave(self) -> None:
        """Nothing is left to be done."""


@dataclass(kw_only=True)
class TerminalChild(Child):
    """A child on a terminal of its own, with its warden; `pid` is 0 before it is told, -1 after."""

    warden: int
    screen: Screen
    terminal: int
    reports: int
    orders: int

    def see_to_end(self, signals: Signals) -> int:
        """As of every child; the terminal is ours again in the end."""
        self.screen.hand_over()
        Keys(self.screen, self.terminal).start()
        try:
            return super().see_to_end(signals)
        finally:
            self.screen.restore()

    def notice(self, number: signal.Signals) -> None:
        """Follow the warden's reports, the size of the terminal, and our own continuation."""
        if number == signal.SIGWINCH:
            self.screen.copy_size(self.terminal)
        elif number == signal.SIGCONT:
            self.screen.hand_over()
            self.screen.copy_size(self.terminal)
        elif self.status is None:
            for kind, value in terminal.read_reports(self.reports):
                self._follow(kind, value)
            if self.pumps[0].unheard:
                # Nobody sees it any more: it is told as when a terminal is closed.
                self._kill(signal.SIGHUP, group=True)

    def _follow(self, kind: int, value: int) -> None:
        if kind == STARTED:
            self.pid = value
        elif kind == STOPPED:
            self._stop()
        elif kind == ENDED:
            self.pid = -1
            self.ended(value)

    def _stop(self) -> None:
        """Ctrl-Z was for the child: as the terminal would have, stop all who belong together."""
        self.screen.restore()
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        self.screen.hand_over()
        self._kill(signal.SIGCONT, group=True)

    def hand_on(self, number: signal.Signals, *, to_all: bool) -> None:
        """Pass it on: our terminal's foreground is not the child's."""
        self._kill(number, group=to_all)

    def _kill(self, number: signal.Signals, *, group: bool) -> None:
        while not self.pid:
            # A signal as early as that: the warden's first word is on its way.
            terminal.wait_for(self.reports)
            self.notice(signal.SIGCHLD)
        if self.pid > 0:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                (os.killpg if group else os.kill)(self.pid, number)

    def leave(self) -> None:
        """Let the warden go."""
        os.close(self.orders)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.warden, 0)


def _wake() -> Callable[[], None]:
    """What a thread calls so that the main one looks up."""
    main = threading.main_thread().ident or 0
    return lambda: signal.pthread_kill(main, signal.SIGCHLD)


def _behind_pipes(start: Start, needles: Needles) -> Child:
    """Two pipes, or one where both outputs lead to the same place."""
    same = os.path.sameopenfile(1, 2)
    ours, childs = os.pipe()
    errors, childs_errors = (ours, childs) if same else os.pipe()

    def life() -> None:
        start.die()
        start.become({1: childs, 2: childs_errors})

    pid = forked(life)
    for end in {childs, childs_errors}:
        os.close(end)
    targets = {ours: [1, 2]} if same else {ours: [1], errors: [2]}
    return Child(pid=pid, pumps=_pumps(targets, needles))


def _behind_pty(start: Start, needles: Needles) -> TerminalChild:
    """A pty for what is a terminal here; a pipe for errors that lead elsewhere."""
    screen = Screen(0 if os.isatty(0) else None, 1)
    ours, childs = screen.open_pty()
    errors, childs_errors = (-1, childs) if os.isatty(2) else os.pipe()
    reports, tell = os.pipe()
    orders, order = os.pipe()
    streams = {1: childs, 2: childs_errors} | ({0: childs} if screen.keyboard is not None else {})
    post = Post(
        screen=screen,
        terminal=childs,
        reports=tell,
        orders=orders,
        ours={ours, reports, order, *({errors} - {-1})},
        childs={childs, childs_errors, 1, *(() if screen.keyboard is not None else (0,))},
    )

    def life() -> None:
        terminal.keep_watch(post, lambda: start.become(streams))

    warden = forked(life)
    for end in {childs, childs_errors, tell, orders}:
        os.close(end)
    targets = {os.dup(ours): [1]} | ({errors: [2]} if errors >= 0 else {})
    return TerminalChild(
        pid=0,
        pumps=_pumps(targets, needles),
        warden=warden,
        screen=screen,
        terminal=ours,
        reports=reports,
        orders=order,
    )


def _pumps(targets: Mapping[int, Sequence[int]], needles: Needles) -> list[Pump]:
    return [Pump(source, ends, Veil(needles), _wake()) for source, ends in targets.items()]
