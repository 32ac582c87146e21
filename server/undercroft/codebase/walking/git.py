"""Git's own view of a folder, asked for without running anything the repository names.

The repository is found here and handed over as GIT_DIR and GIT_WORK_TREE, so a repository of
another user is listed too (git's `safe.directory` guards the programs that a configuration names;
none of them can run here), and `core.worktree` cannot point elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from undercroft.codebase.walking.beneath import Left, read_at
from undercroft.settings import own_keys

PATIENCE = 30.0
"""Seconds for git's answer; a hostile repository (a FIFO as ignore file) makes it wait for ever."""

_LINKED = re.compile(rb"[/\\]worktrees[/\\][^/\\]+\s*\Z")
_POINTER = 4096
_PIPE = 1 << 20
"""Bytes that git may write before anybody reads: room for 10,000 paths."""

_OPTIONS = (
    "core.fsmonitor=false",  # may name a program
    "core.hooksPath=/dev/null",
    "core.virtualfilesystem=",  # a program, in one vendor's git
    "core.bare=false",
    "protocol.allow=never",  # a missing object is not fetched
)


class Repository(NamedTuple):
    """A work tree and where its git keeps its own files."""

    top: Path
    directory: Path
    """`.git`, a folder or the file that points to one."""


def repository_at(folder: Path) -> Repository | None:
    """The repository whose work tree begins at that folder."""
    inside = folder / ".git"
    try:
        if inside.is_file() or (inside / "HEAD").is_file():
            return Repository(folder, inside)
    except OSError:
        return None
    return None


def repository_of(folder: Path) -> Repository | None:
    """The repository that the folder stands in.

    One above the folder counts only if it is on the same file system and belongs to the folder's
    owner or to this process's user: anyone may plant one in a shared parent.
    """
    if found := repository_at(folder):
        return found
    own = folder.stat()
    for parent in folder.parents:
        try:
            if parent.stat().st_dev != own.st_dev:
                return None
            found = repository_at(parent)
            if found:
                owner = found.directory.lstat().st_uid
                return found if owner in {own.st_uid, os.geteuid()} else None
        except OSError:
            return None
    return None


def linked_worktree(folder: int) -> bool:
    """Whether an open folder is a second worktree of some repository: its files are doubles."""
    try:
        pointer = read_at(folder, ".git", max_bytes=_POINTER)
    except Left:
        return False
    return _LINKED.search(pointer) is not None


def listing(
    repository: Repository, folder: Path, *, patience: float = PATIENCE
) -> list[str] | None:
    """Tracked, and untracked but not ignored paths below the folder, relative to it.

    A submodule is listed as its folder, an untracked repository as its folder with a slash.
    None if git is missing, fails or does not answer in time.
    """
    program = shutil.which("git")
    # A relative entry of PATH would be looked up in the folder that is listed.
    if program is None or not os.path.isabs(program):  # noqa: PTH117 -- `which` answers a string
        return None
    options = [word for option in _OPTIONS for word in ("-c", option)]
    command = ["ls-files", "-z", "-c", "-o", "--exclude-standard"]
    try:
        answer = subprocess.run(  # noqa: S603 -- the words are ours
            [program, "--no-pager", "--literal-pathspecs", *options, *command],
            cwd=folder,
            env=dict(_environment(repository)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=patience,
            pipesize=_PIPE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    # A path in conflict is listed once for each side.
    return list(dict.fromkeys(os.fsdecode(answer.stdout).split("\0")[:-1]))


def _environment(repository: Repository) -> Iterator[tuple[str, str]]:
    """The process's environment without our keys and what steers git, and with what keeps it still.

    A hole in git that a hostile repository finds is to find no key.
    """
    withheld = own_keys()
    for name, value in os.environ.items():
        if not name.startswith("GIT_") and name not in withheld:
            yield name, value
    yield "GIT_DIR", str(repository.directory)
    yield "GIT_WORK_TREE", str(repository.top)
    yield "GIT_OPTIONAL_LOCKS", "0"
    yield "GIT_TERMINAL_PROMPT", "0"
    yield "GIT_NO_LAZY_FETCH", "1"
    yield "GIT_ALLOW_PROTOCOL", ""
    yield "GIT_PAGER", "cat"
    yield "LC_ALL", "C"
