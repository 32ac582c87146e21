"""The program of a child: where it is, and how a process becomes it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from undercroft.errors import InvalidInput

NOT_EXECUTABLE = 126
NOT_FOUND = 127
"""Exit statuses of POSIX shells."""

_PR_SET_PDEATHSIG = 1


class NotStarted(InvalidInput):
    """The command cannot be run; `status` is what a shell would give."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """The path of a command, as a shell finds it.

    Raises:
        NotStarted: It is nowhere, or cannot be executed.

    """
    folders = [""] if "/" in name else environ.get("PATH", os.defpath).split(os.pathsep)
    seen = ""
    for folder in folders:
        path = os.path.join(folder or ".", name) if "/" not in name else name  # noqa: PTH118 - as text
        if os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113 - as text
            return path
        seen = seen or (path if os.path.exists(path) else "")  # noqa: PTH110 - as text
    if seen:
        raise NotStarted(f"{name} cannot be executed.", NOT_EXECUTABLE)
    raise NotStarted(f"There is no command {name}.", NOT_FOUND)


def become(program: str, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Let this process be the program, or end it.

    Signals are as whoever started us left them, for example ignored by `nohup`; only those that
    Python itself ignores are given back.
    """
    try:
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.execve(program, [*words], {**environment})  # noqa: S606 - this is what we are for
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its words or its environment hold a zero byte"
        os.write(2, f"undercroft: {words[0]} cannot be executed: {reason}.\n".encode())
    finally:
        os._exit(NOT_EXECUTABLE)


def dying_with(parent: int) -> Callable[[], None]:
    """What a child calls so that it is told to end (SIGTERM) when its parent is no more.

    It is made before the fork, since it loads a library. Only Linux can do this; elsewhere, and in
    programs that change their user, the child notices at its next word, to which nobody listens.
    """
    if sys.platform != "linux":
        return lambda: None
    library = ctypes.CDLL(None)

    def ask() -> None:
        library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return ask
