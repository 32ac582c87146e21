"""What differs from one operating system to the next: file locks, signals, processes.

Linux and macOS are served. Another system needs a change here and in keeper.py only.
"""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import time
import weakref
from pathlib import Path
from typing import Literal

from undercroft.errors import InvalidInput, Unavailable, UndercroftError

Mode = Literal["shared", "exclusive"]

FLAGS = {"shared": fcntl.LOCK_SH, "exclusive": fcntl.LOCK_EX}
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, errno.EDQUOT}
POLL = 0.005


class FileLock:
    """A lock on a file, dropped by the kernel when its process dies, however it dies.

    `owner` (uid, gid) is who shall own the file when root is the first to make it.
    Make few of them and use them again: the hook on fork stays for good.
    """

    def __init__(self, path: Path, owner: tuple[int, int] | None = None) -> None:
        self.path = path
        self._owner = owner
        self._descriptor: int | None = None
        # A forked child (multiprocessing) shares the open file and would keep the
        # lock alive after our death. A weak reference, since hooks cannot be taken back.
        forget = weakref.WeakMethod(self._close)
        os.register_at_fork(after_in_child=lambda: (close := forget()) and close())

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self, mode: Mode, *, seconds: float = 0.0) -> bool:
        """Take the lock within that many seconds; 0 tries once."""
        deadline = time.monotonic() + seconds
        descriptor = self._open()
        try:
            while not _lock(descriptor, FLAGS[mode]):
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    return False
                time.sleep(POLL)
        except OSError as error:
            os.close(descriptor)
            raise folder_error(error) from error
        self._close()
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens if it is not held."""
        self._close()

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self.path, flags, 0o600)
            if self._owner and os.fstat(descriptor).st_uid != self._owner[0]:
                os.fchown(descriptor, *self._owner)
        except OSError as error:
            raise folder_error(error) from error
        return descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(descriptor: int, flag: int) -> bool:
    try:
        fcntl.flock(descriptor, flag | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def folder_error(error: OSError) -> UndercroftError:
    """Say for a client what is wrong with the folder of the data, without its path."""
    if error.errno in FULL:
        return Unavailable(
            "The disk that holds the data is full.", hint="Free some space, then try again."
        )
    if error.errno in UNWRITABLE:
        return InvalidInput(
            "The folder that holds the data cannot be written.",
            hint="Set UNDERCROFT_HOME to a folder that this user may write, or mend its owner.",
        )
    return Unavailable(
        f"The folder that holds the data cannot be used: {os.strerror(error.errno or 0)}.",
        hint="Set UNDERCROFT_HOME to a folder on a local disk.",
    )


def holders(path: Path) -> list[int]:
    """List the processes that hold a lock on the file, as far as they can be seen."""
    try:
        locks = Path("/proc/locks").read_text()
        inode = path.stat().st_ino
    except FileNotFoundError:
        return _holders_by_lsof(path) if path.exists() else []
    rows = (line.split() for line in locks.splitlines())
    found = {
        int(row[4])
        for row in rows
        if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode) and int(row[4]) > 0
    }
    return sorted(found)


def _holders_by_lsof(path: Path) -> list[int]:
    with contextlib.suppress(OSError):
        answer = subprocess.run(  # noqa: S603 - a fixed command on our own file
            ["lsof", "-t", "--", str(path)],  # noqa: S607 - found on PATH on macOS
            capture_output=True,
            text=True,
            check=False,
        )
        return sorted({int(pid) for pid in answer.stdout.split()} - {os.getpid()})
    return []


def command_of(pid: int) -> str:
    """Show how that process was started, in one line; empty when it cannot be seen."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return "" if Path("/proc/self").exists() else _ps(pid, "command=")
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def _ps(pid: int, column: str) -> str:
    answer = subprocess.run(  # noqa: S603 - a fixed command with a number
        ["/bin/ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def works_in(pid: int, folder: Path) -> bool:
    """Tell whether the process lives and works in that folder, as a postmaster does in its data.

    A number in a lock file says little: it may be a zombie that nobody reaps, or have been
    given to another program since.
    """
    process = Path(f"/proc/{pid}")
    if not Path("/proc/self").exists():
        return "postgres" in _ps(pid, "command=") and not _ps(pid, "state=").startswith("Z")
    try:
        if process.joinpath("stat").read_bytes().rpartition(b")")[2].split()[0] in (b"Z", b"X"):
            return False
        return process.joinpath("cwd").samefile(folder)
    except OSError:
        return False


def shared_memory_users(key: int, identifier: int) -> int:
    """How many processes are attached to a System V segment; 0 where that is unknown."""
    try:
        rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except OSError:
        return 0
    wanted = (key, identifier)
    found = (row.split() for row in rows)
    return sum(int(row[6]) for row in found if (int(row[0]), int(row[1])) == wanted)


def ask_to_stop(pid: int) -> None:
    """PostgreSQL's fast shutdown: sessions are cut off, the data is written out."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
