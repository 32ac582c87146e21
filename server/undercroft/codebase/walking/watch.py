"""What the kernel tells of a folder (inotify), so that nobody walks it again while nothing changes.

A change is told before the call that made it returns, so whoever asks afterwards knows of it. Not
told is what happens elsewhere: on another machine's disk, through a hard link or a memory map from
outside, or in the person's own git configuration. So only file systems of this machine are watched,
and the folder is walked now and then nevertheless.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from undercroft.codebase.walking.git import repository_of
from undercroft.codebase.walking.names import REPOSITORY_FOLDERS

MOST_FOLDERS = 20_000
"""Folders that are watched; each costs the kernel a kilobyte."""

LOCAL = frozenset(
    ["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"]
)
"""File systems that nobody changes but through this kernel."""

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLYDIR, _DONT_FOLLOW, _EXCL_UNLINK, _ISDIR = 0x1000000, 0x2000000, 0x4000000, 0x40000000

_WANTED = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
    | _DELETE_SELF | _MOVE_SELF | _ONLYDIR | _DONT_FOLLOW | _EXCL_UNLINK
)  # fmt: skip
_FOLDERS = _ISDIR | _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _OVERFLOW | _IGNORED
"""After these there may be folders that are not watched."""

_EVENT = struct.Struct("iIII")
_PIECE = 1 << 16
_POINTER = 4_096


class Watch:
    """Tells whether anything below a folder has changed since it began."""

    def __init__(self, root: Path) -> None:
        """Watch nothing yet.

        Raises:
            OSError: The kernel has no watches left.

        """
        self._root = root
        self._descriptor: int = self._kernel.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        weakref.finalize(self, os.close, self._descriptor)
        self._stale = True

    @staticmethod
    def of(root: Path) -> Watch | None:
        """A watch where the kernel can keep one."""
        if not sys.platform.startswith("linux") or file_system(root) not in LOCAL:
            return None
        with suppress(OSError, AttributeError):
            return Watch(root)
        return None

    @cached_property
    def _kernel(self) -> ctypes.CDLL:
        return ctypes.CDLL(None, use_errno=True)

    def begin(self) -> bool:
        """Forget what was told; what changes from now on will be. False: it cannot all be.

        Raises:
            OSError: The folder itself is gone, or cannot be read.

        """
        self.told()
        if self._stale:
            for number, folder in enumerate(self._folders()):
                if number >= MOST_FOLDERS or not self._add(folder):
                    return False
        self._stale = False
        return True

    def told(self) -> bool:
        """Whether anything changed since the last question."""
        told = False
        while data := self._read():
            told, at = True, 0
            while at < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, at)
                self._stale = self._stale or bool(mask & _FOLDERS)
                at += _EVENT.size + length
        return told

    def _read(self) -> bytes:
        try:
            return os.read(self._descriptor, _PIECE)
        except BlockingIOError:
            return b""

    def _add(self, folder: str) -> bool:
        path = ctypes.c_char_p(os.fsencode(folder))
        added: int = self._kernel.inotify_add_watch(self._descriptor, path, _WANTED)
        # What is gone meanwhile was told by the folder above it, and is no fault.
        return added >= 0 or not os.path.isdir(folder)  # noqa: PTH112 - a string, by the thousand

    def _folders(self) -> Iterator[str]:
        """All that can bear on what a walk finds: each is watched before it is listed."""
        repository = repository_of(self._root)
        if repository is not None and repository.top != self._root:
            yield from map(str, self._above(repository.top))
            yield from _of_git(str(repository.directory))
        waiting = [str(self._root)]
        while waiting:
            yield (folder := waiting.pop())
            with suppress(OSError), os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name == ".git":
                        yield from _of_git(entry.path)
                    elif entry.name not in REPOSITORY_FOLDERS and entry.is_dir(
                        follow_symlinks=False
                    ):
                        waiting.append(entry.path)

    def _above(self, top: Path) -> Iterator[Path]:
        """Folders up to the top of the repository: their ignore files count."""
        for folder in self._root.parents:
            yield folder
            if folder == top:
                return


def _of_git(pointer: str) -> Iterator[str]:
    """Where the index and the ignore file of a repository lie."""
    directory = Path(pointer)
    with suppress(OSError, ValueError):
        if directory.is_file():
            directory = (directory.parent / _pointed(pointer)).resolve()
        common = directory.parents[1] if directory.parent.name == "worktrees" else directory
        for folder in (directory, common / "info"):
            if folder.is_dir():
                yield str(folder)


def _pointed(pointer: str) -> str:
    """Where the `.git` of a worktree or a submodule says that its repository is."""
    file = os.open(pointer, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.fsdecode(os.read(file, _POINTER)).removeprefix("gitdir:").strip()
    finally:
        os.close(file)


def file_system(root: Path) -> str:
    """The kind of file system that a folder lies on; empty: nobody says."""
    path = os.path.realpath(root)
    best, kind = "", ""
    with suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            before, _, after = line.partition(" - ")
            place = before.split(" ")[4].replace("\\040", " ")
            if f"{path}/".startswith(f"{place.rstrip('/')}/") and len(place) >= len(best):
                best, kind = place, after.split(" ")[0]
    return kind
