"""Which files of a folder are worth reading, and their bytes, never from outside that folder.

A folder in a git work tree is seen as git sees it: tracked, and untracked but not ignored.
Elsewhere `.gitignore` files are read here by the same rules. `.undercroftignore` holds in both, and
a `!` pattern in it keeps what would be left out by default (vendored, generated, minified, lock
files). A submodule or a repository inside is walked by its own git; a second worktree of a
repository that lies inside is left out, because its files are doubles. Version control's own
folders are neither walked nor counted.
"""

from __future__ import annotations

from pathlib import Path

from undercroft.codebase.walking.beneath import Ladder, Left, read_at
from undercroft.codebase.walking.contents import classify, decode
from undercroft.codebase.walking.found import FoundFile, Omissions, Walk
from undercroft.codebase.walking.git import PATIENCE
from undercroft.codebase.walking.walker import Walker

MAX_BYTES = 1_000_000
"""A file above that is left out."""

MAX_FILES = 1_000_000


def walk(
    root: Path,
    *,
    max_bytes: int = MAX_BYTES,
    max_files: int = MAX_FILES,
    patience: float = PATIENCE,
) -> Walk:
    """The files of a folder, each left-out one counted.

    `patience` bounds the seconds for each answer of git; after that ignore files are read here.

    Raises:
        OSError: The root itself is no folder or cannot be opened.

    """
    walker = Walker(root.absolute(), max_bytes=max_bytes, max_files=max_files, patience=patience)
    return walker.walk()


def read(root: Path, found: FoundFile, *, max_bytes: int = MAX_BYTES) -> bytes | str:
    """The bytes of a found file, or the reason it is left out ("gone" if it was deleted)."""
    try:
        with Ladder(root) as ladder:
            return read_from(ladder, found, max_bytes=max_bytes)
    except OSError:
        return "unreadable"


def read_from(ladder: Ladder, found: FoundFile, *, max_bytes: int = MAX_BYTES) -> bytes | str:
    """As `read`, with folders that may be open already since files beside it were read.

    What a folder's path leads to may have changed since then: whoever asks has to compare the
    file with what the path leads to afterwards.
    """
    folder, _, name = found.path.rpartition("/")
    try:
        return read_at(ladder.enter(folder), name, max_bytes=max_bytes)
    except Left as left:
        return left.reason or "gone"
    except OSError:
        return "unreadable"


__all__ = [
    "MAX_BYTES",
    "MAX_FILES",
    "FoundFile",
    "Ladder",
    "Omissions",
    "Walk",
    "classify",
    "decode",
    "read",
    "read_from",
    "walk",
]
