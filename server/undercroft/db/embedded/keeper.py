"""The parent of the postmaster: a program of its own, `python -I -S keeper.py JSON`.

It leads its own session, so that neither Ctrl-C in a terminal nor the end of whoever
started it reaches the postmaster; it reaps the postmaster, so that no zombie blocks the
next start; and when the users were all killed before they could stop the server, it stops
it. It ends when the postmaster ends. Nothing needs it: without it the server runs on, and
the last user to leave in good order stops it.

It imports nothing of ours, to stay small and quick to start.
"""

import fcntl
import json
import os
import select
import signal
import sys
from typing import Any, NoReturn


def main() -> None:
    """Leave the caller, start the postmaster, watch it."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    os.chdir("/")
    if os.fork():
        os._exit(0)
    os.setsid()
    # Held open and never written: its end tells the starter that the postmaster has gone.
    os.set_inheritable(order["pipe"], False)  # noqa: FBT003 - takes no keyword
    wakeup = _listen_for_children()
    postmaster = os.fork()
    if postmaster == 0:
        _become_postmaster(order)
    _forget_streams()
    _watch(postmaster, order, wakeup)


def _become_postmaster(order: dict[str, Any]) -> None:
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        if order["owner"]:
            uid, gid = order["owner"]
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        os.umask(0o077)
        command = order["command"]
        os.execve(command[0], command, order["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"FATAL: {error}\n".encode())
    finally:
        os._exit(127)


def _listen_for_children() -> int:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _forget_streams() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)


def _watch(postmaster: int, order: dict[str, Any], wakeup: int) -> None:
    deserted = 0
    while os.waitpid(postmaster, os.WNOHANG) == (0, 0):
        if select.select([wakeup], [], [], order["interval"])[0]:
            os.read(wakeup, 64)
            continue
        deserted = deserted + 1 if _stop_if_deserted(postmaster, order, deserted) else 0


def _stop_if_deserted(postmaster: int, order: dict[str, Any], before: int) -> bool:
    """Whether nobody uses the server; the second time in a row it is stopped."""
    if not os.access(order["start_lock"], os.F_OK):
        # The folder was deleted: nobody can ever join again.
        if before:
            _stop(postmaster, order)
        return True
    start = _lock(order["start_lock"])
    if start is None:
        return False
    users = _lock(order["users_lock"])
    deserted = users is not None and _is_ready(order) and not os.access(order["keep"], os.F_OK)
    if deserted and before:
        _stop(postmaster, order)
    for descriptor in (users, start):
        if descriptor is not None:
            os.close(descriptor)
    return deserted


def _stop(postmaster: int, order: dict[str, Any]) -> NoReturn:
    """End the server in good order, or at once where its data is gone, and then ourselves."""
    whole = os.access(order["pid_file"], os.F_OK)
    os.kill(postmaster, signal.SIGINT if whole else signal.SIGQUIT)
    os.waitpid(postmaster, 0)
    _remove(order["clear_away"])
    sys.exit()


def _remove(folder: str) -> None:
    try:  # noqa: SIM105 - contextlib is not loaded here
        os.rmdir(folder)  # noqa: PTH106 - nor is pathlib
    except OSError:
        pass


def _is_ready(order: dict[str, Any]) -> bool:
    """Whether it is no longer at its recovery, which would only begin again next time."""
    try:
        descriptor = os.open(order["pid_file"], os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return b"\nready" in os.read(descriptor, 4096)
    finally:
        os.close(descriptor)


def _lock(path: str) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


if __name__ == "__main__":
    main()
