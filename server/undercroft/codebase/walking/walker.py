"""The walk itself: areas, each listed by its git or by its ignore files."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from undercroft.codebase.walking import git
from undercroft.codebase.walking.beneath import GONE, Ladder, Left, mounts_below, reason_of
from undercroft.codebase.walking.found import FoundFile, Omissions, Walk
from undercroft.codebase.walking.ignores import Standing
from undercroft.codebase.walking.names import REPOSITORY_FOLDERS, file_reason, folder_reason

LONGEST_PATH = 1000
"""Bytes of a path; an index of the store takes little more."""

MOST_REPOSITORIES = 200
"""Repositories asked through git in one walk; further ones are walked by ignore files."""

ENTRIES_PER_FILE = 10
"""A walk without git ends, truncated, after that many entries for each file it may find."""

OUR_IGNORE_FILE = ".undercroftignore"
_GIT_IGNORE_FILE = ".gitignore"
_ONLY_BY_DEFAULT = frozenset({"vendored", "generated", "minified", "lockfile"})
"""Reasons that a `!` pattern in our ignore file sets aside."""


class _Folder(NamedTuple):
    """What holds in a folder."""

    reason: str
    """Why nothing in it is wanted, or ""."""
    kept: bool
    """Our ignore file wants it although its name speaks against it."""
    ours: Standing
    gits: Standing
    ruled: bool
    """Some pattern may speak about its files."""


_found = partial(tuple.__new__, FoundFile)
"""A third of the time that the class takes."""


class Walker:
    """One walk; made for one root and used once."""

    def __init__(self, root: Path, *, max_bytes: int, max_files: int, patience: float) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._patience = patience
        self._files: list[FoundFile] = []
        self._omissions = Omissions()
        self._folders: dict[str, _Folder] = {}
        self._areas: list[str] = [""]
        self._asked = 0
        self._entries_left = ENTRIES_PER_FILE * max_files
        self._mounts = mounts_below(root)

    def walk(self) -> Walk:
        """Every area: the root, and each repository found inside."""
        by_git = False
        with Ladder(self._root) as self._ladder:
            while self._areas and not self._full():
                area = self._areas.pop()
                listed = self._ask_git(area)
                by_git = by_git or (not area and listed is not None)
                if listed is None:
                    self._explore(area)
                else:
                    self._take_listed(area, listed)
            if by_git and not self._files and not self._omissions.counts:
                self._say_why_nothing()
        self._files.sort()
        truncated = self._full()
        del self._files[self._max_files :]
        return Walk(
            files=self._files, omissions=self._omissions, by_git=by_git, truncated=truncated
        )

    def _say_why_nothing(self) -> None:
        """What git ignores does not count, unless that is all there is."""
        with os.scandir(self._ladder.enter("")) as entries:
            if any(entry.name not in REPOSITORY_FOLDERS for entry in entries):
                self._omissions.add("ignored", "./")

    def _full(self) -> bool:
        return len(self._files) > self._max_files or self._entries_left < 0

    def _ask_git(self, area: str) -> list[str] | None:
        folder = self._root / area
        repository = git.repository_at(folder) if area else git.repository_of(folder)
        # The patience is that of the whole walk: a hostile folder has any number of repositories.
        if repository is None or self._asked >= MOST_REPOSITORIES or self._patience <= 0:
            return None
        self._asked += 1
        began = time.monotonic()
        listed = git.listing(repository, folder, patience=self._patience)
        self._patience -= time.monotonic() - began
        # A root that the repository around it ignores as a whole is still what was asked for.
        return listed or (None if repository.top != folder else listed)

    # A folder's standing ------------------------------------------------------------------

    def _folder(self, path: str) -> _Folder:
        """What holds in a folder, by its name, the folders above it and their ignore files."""
        if (known := self._folders.get(path)) is not None:
            return known
        if not path:
            return self._folders.setdefault("", _Folder("", False, Standing(), Standing(), False))  # noqa: FBT003 -- a plain tuple
        parent, _, name = path.rpartition("/")
        above = self._folder(parent)
        return self._folders.setdefault(path, self._judge(above, path, name))

    def _judge(self, above: _Folder, path: str, name: str) -> _Folder:
        if above.reason:
            return above
        ours = above.ours.ignored(path, folder=True)
        kept = above.kept if ours is None else not ours
        reason = folder_reason(name)
        if kept and reason in _ONLY_BY_DEFAULT:
            reason = ""
        if path in self._mounts:
            reason = "mount"
        if not reason and (ours or above.gits.ignored(path, folder=True)):
            reason = "ignored"
        if reason == above.reason and kept == above.kept:
            return above
        return above._replace(reason=reason, kept=kept, ruled=above.ruled or kept)

    def _read_ignore_files(self, path: str, descriptor: int, names: Iterable[str]) -> _Folder:
        """The folder's standing, with the ignore files that lie in it."""
        folder = self._folder(path)
        if OUR_IGNORE_FILE in names:
            ours = folder.ours.below(descriptor, path, OUR_IGNORE_FILE)
            folder = folder._replace(ours=ours)
        if _GIT_IGNORE_FILE in names:
            gits = folder.gits.below(descriptor, path, _GIT_IGNORE_FILE)
            folder = folder._replace(gits=gits)
        ruled = bool(folder.kept or folder.ours.files or folder.gits.files)
        self._folders[path] = folder = folder._replace(ruled=ruled)
        return folder

    # Files ----------------------------------------------------------------------------------

    def _take(self, path: str, name: str, folder: _Folder, seen: os.stat_result) -> None:
        """A file that was seen: one of those found, or left out by a reason."""
        if stat.S_IFMT(seen.st_mode) != stat.S_IFREG:
            reason = "link" if stat.S_ISLNK(seen.st_mode) else "special"
        else:
            reason = file_reason(name)
            if folder.ruled:
                reason = self._by_rules(path, folder, reason)
            if not reason and seen.st_size > self._max_bytes:
                reason = "too_large"
            if len(path) > LONGEST_PATH // 4 and len(os.fsencode(path)) > LONGEST_PATH:
                reason = "name"
        if reason or (self._mounts and path in self._mounts):
            self._omissions.add(reason or "mount", path)
        else:
            self._files.append(_found((path, seen.st_size, seen.st_mtime_ns, seen.st_ino)))

    def _by_rules(self, path: str, folder: _Folder, reason: str) -> str:
        """The reason, as the ignore files change it."""
        ours = folder.ours.ignored(path, folder=False)
        if ours or folder.gits.ignored(path, folder=False):
            return "ignored"
        kept = folder.kept if ours is None else True
        return "" if kept and reason in _ONLY_BY_DEFAULT else reason

    # By git's list --------------------------------------------------------------------------

    def _take_listed(self, area: str, listed: list[str]) -> None:
        """The files that git names, folder by folder."""
        by_folder: defaultdict[str, list[str]] = defaultdict(list)
        for path in listed:
            folder, _, name = path.removesuffix("/").rpartition("/")
            by_folder[folder].append(name)
        prefix = f"{area}/" if area else ""
        if not area:
            by_folder[""].append(OUR_IGNORE_FILE)  # it may itself be hidden from git
        for folder in sorted(by_folder):
            if self._full():
                return
            path = f"{prefix}{folder}" if folder else area
            try:
                self._take_names(path, by_folder[folder])
            except Left as left:
                if left.reason != GONE:
                    self._omit_all(left.reason, path, by_folder[folder])

    def _take_names(self, path: str, names: list[str]) -> None:
        if reason := self._folder(path).reason:
            raise Left(reason)
        descriptor = self._ladder.enter(path)
        folder = self._folder(path)
        if OUR_IGNORE_FILE in names:
            folder = self._read_ignore_files(path, descriptor, {OUR_IGNORE_FILE})
        prefix = f"{path}/" if path else ""
        for name in dict.fromkeys(names):
            try:
                seen = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError as error:
                # A name that is too long for this file system is no file's.
                if (reason := reason_of(error)) != GONE and error.errno != errno.ENAMETOOLONG:
                    self._omissions.add(reason, prefix + name)
                continue
            if stat.S_ISDIR(seen.st_mode):
                self._enter_repository(prefix + name)
            else:
                self._take(prefix + name, name, folder, seen)

    def _omit_all(self, reason: str, path: str, names: list[str]) -> None:
        """Count what git names in a folder that is not entered.

        The names are not shown: a hostile folder can have git list another one.
        """
        for name in names:
            if not (name == OUR_IGNORE_FILE and not path):
                self._omissions.add(reason, f"{path}/")

    def _enter_repository(self, path: str) -> None:
        """A submodule or another repository inside: an area of its own, unless it is a double."""
        folder = self._folder(path)
        reason = folder.reason
        try:
            if not reason and git.linked_worktree(self._ladder.enter(path)):
                reason = "worktree"
        except Left as left:
            reason = left.reason or "unreadable"
        if reason:
            self._omissions.add(reason, path + "/")
        else:
            self._areas.append(path)

    # By ignore files ------------------------------------------------------------------------

    def _explore(self, area: str) -> None:
        """The files below a folder without git's help, depth first."""
        waiting = [area]
        while waiting and not self._full():
            path = waiting.pop()
            try:
                waiting += self._explore_folder(path)
            except Left as left:
                if left.reason != GONE:
                    self._omissions.add(left.reason, path + "/")
            except OSError as error:
                self._omissions.add(reason_of(error) or "unreadable", path + "/")

    def _explore_folder(self, path: str) -> list[str]:
        """Take a folder's files; answers the folders in it that are to be explored."""
        descriptor = self._ladder.enter(path)
        with os.scandir(descriptor) as entries:
            seen = {entry.name: entry for entry in self._counted(entries)}
        if (
            path
            and ("CACHEDIR.TAG" in seen or "pyvenv.cfg" in seen)
            and not self._folder(path).kept
        ):
            raise Left("generated" if "CACHEDIR.TAG" in seen else "vendored")
        folder = self._read_ignore_files(path, descriptor, seen)
        prefix = f"{path}/" if path else ""
        inside = []
        for name, entry in seen.items():
            if not entry.is_dir(follow_symlinks=False):
                self._take_entry(prefix + name, folder, entry)
            elif name not in REPOSITORY_FOLDERS:
                inside.append(prefix + name)
        return [child for child in inside if self._wanted(child)]

    def _counted(self, entries: Iterable[os.DirEntry[str]]) -> Iterable[os.DirEntry[str]]:
        for entry in entries:
            self._entries_left -= 1
            if self._full():
                return
            yield entry

    def _take_entry(self, path: str, folder: _Folder, entry: os.DirEntry[str]) -> None:
        try:
            self._take(path, entry.name, folder, entry.stat(follow_symlinks=False))
        except OSError as error:
            if (reason := reason_of(error)) != GONE:
                self._omissions.add(reason, path)

    def _wanted(self, path: str) -> bool:
        """Whether a folder is to be explored here; a repository becomes an area of its own."""
        if reason := self._folder(path).reason:
            self._omissions.add(reason, path + "/")
            return False
        if git.repository_at(self._root / path) is None:
            return True
        self._enter_repository(path)
        return False
