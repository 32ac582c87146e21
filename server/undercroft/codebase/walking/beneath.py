"""Open beneath a root, one folder at a time, never through a link.

Each folder is opened relative to the descriptor of the one above it, with O_NOFOLLOW. A folder that
is swapped for a link while the walk stands in it leads nowhere: the descriptor stays on the folder
that was there.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

DEEPEST = 100
"""Folders between the root and a file; each holds a descriptor while the walk is below it."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_PIECE = 1 << 20

_REASONS = {errno.ELOOP: "link", errno.ENOTDIR: "link", errno.ENAMETOOLONG: "name"}

GONE = ""
"""The reason of what was deleted since it was listed: nothing was left out."""


class Left(Exception):
    """A path is left out; the argument is the reason."""

    @property
    def reason(self) -> str:
        """One of the words of `Omissions`, or `GONE`."""
        return str(self.args[0])


def reason_of(error: OSError) -> str:
    """Why what could not be opened is left out."""
    if error.errno == errno.ENOENT:
        return GONE
    return _REASONS.get(error.errno or 0, "unreadable")


class Ladder:
    """The open folders from the root down to where the walk stands."""

    def __init__(self, root: Path | str) -> None:
        self._paths = [""]
        self._rungs = [os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        self._device = os.fstat(self._rungs[0]).st_dev

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        while self._rungs:
            self._climb()

    def enter(self, folder: str) -> int:
        """The descriptor of a folder (relative, "" is the root), valid until the next call.

        Raises:
            Left: A link, another file system, too deep, unreadable or gone.

        """
        if folder.count("/") >= DEEPEST:
            raise Left("deep")
        wanted = f"{folder}/" if folder else ""
        while not wanted.startswith(self._paths[-1]):
            self._climb()
        for name in (
            wanted[len(self._paths[-1]) : -1].split("/") if wanted != self._paths[-1] else ()
        ):
            self._descend(name)
        return self._rungs[-1]

    def _climb(self) -> None:
        os.close(self._rungs.pop())
        self._paths.pop()

    def _descend(self, name: str) -> None:
        if name in {"", ".", ".."}:
            raise Left("outside")
        try:
            rung = os.open(name, _FOLDER, dir_fd=self._rungs[-1])
        except OSError as error:
            raise Left(reason_of(error)) from error
        if os.fstat(rung).st_dev != self._device:
            os.close(rung)
            raise Left("mount")
        self._rungs.append(rung)
        self._paths.append(f"{self._paths[-1]}{name}/")


def read_at(folder: int, name: str, *, max_bytes: int) -> bytes:
    """The bytes of a regular file in an open folder.

    Raises:
        Left: A link, no regular file, too large, unreadable or gone.

    """
    if name in {"", ".", ".."} or "/" in name:
        raise Left("outside")
    try:
        file = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        # ENXIO: a socket, or a device that nothing stands behind.
        raise Left("special" if error.errno == errno.ENXIO else reason_of(error)) from error
    try:
        return _contents(file, max_bytes)
    except OSError as error:
        raise Left("unreadable") from error
    finally:
        os.close(file)


def _contents(file: int, max_bytes: int) -> bytes:
    seen = os.fstat(file)
    if not stat.S_ISREG(seen.st_mode):
        raise Left("special")
    if seen.st_size > max_bytes:
        raise Left("too_large")
    # What grows while it is read, or claims no size as files of /proc do, ends at the cap too.
    data = os.read(file, min(seen.st_size, max_bytes) + 1)
    while len(data) <= max_bytes and (more := os.read(file, min(_PIECE, max_bytes + 1))):
        data += more
    if len(data) > max_bytes:
        raise Left("too_large")
    return data


def mounts_below(root: Path | str) -> frozenset[str]:
    """Mount points below the root, relative to it.

    A bind mount of the same file system has the root's device number: only this table tells.
    """
    if not sys.platform.startswith("linux"):
        return frozenset()
    top = os.path.realpath(root).rstrip("/") + "/"
    try:
        table = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return frozenset()
    places = (line.split(b" ", 5)[4] for line in table.splitlines() if line.count(b" ") > 5)  # noqa: PLR2004 -- the fifth field is the mount point
    found = (os.fsdecode(_unescaped(place)) for place in places)
    return frozenset(place[len(top) :] for place in found if place.startswith(top) and place != top)


def _unescaped(place: bytes) -> bytes:
    """The kernel writes space, tab, newline and backslash as octal numbers."""
    if b"\\" not in place:
        return place
    for code in (b"\\040", b"\\011", b"\\012", b"\\134"):
        place = place.replace(code, bytes([int(code[1:], 8)]))
    return place
