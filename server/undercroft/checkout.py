"""The checkout that a folder lies in."""

from pathlib import Path


def top_of(folder: Path) -> Path:
    """The nearest folder, this one or one above, that git has made a checkout; else the folder.

    A worktree's or a submodule's `.git` is a file, so any kind of entry will do.
    """
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)
