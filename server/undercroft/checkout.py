"""The checkout that a folder lies in, and the main one where it is a linked worktree of another.

`git worktree add` makes a checkout beside the first. It is the same project: its records, secrets
and ports are those of the main checkout.
"""

from dataclasses import dataclass
from pathlib import Path

_LONGEST = 4_096
"""Characters of a path in a file of git's."""


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A folder that git has made a checkout, or one that nobody has."""

    top: Path
    main: Path
    """The main checkout of a linked worktree, a bare repository itself; else `top`."""

    @property
    def is_linked(self) -> bool:
        """Whether it is a linked worktree."""
        return self.top != self.main

    def in_main(self, folder: Path) -> Path:
        """The same place in the main checkout; the folder lies in this one."""
        return self.main / folder.relative_to(self.top)


def top_of(folder: Path) -> Path:
    """The nearest folder, this one or one above, that git has made a checkout; else the folder.

    A worktree's or a submodule's `.git` is a file, so any kind of entry will do.
    """
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def checkout_of(folder: Path) -> Checkout:
    """The checkout that the folder lies in. It reads up to three small files."""
    top = top_of(folder)
    return Checkout(top=top, main=_main_of(top / ".git") or top)


def _main_of(pointer: Path) -> Path | None:
    """Where the main checkout is, if this `.git` is a linked worktree's.

    A `.git` can claim whatever it likes, so the repository must name this worktree as its own:
    a folder that was unpacked somewhere does not get at another project's secrets.
    """
    try:
        own = _named_in(pointer, "gitdir:")
        if _named_in(own / "gitdir") != pointer.resolve():
            return None
        common = _named_in(own / "commondir")
    except (OSError, ValueError, RuntimeError):
        return None
    return common.parent if (common.parent / ".git").exists() else common


def _named_in(file: Path, before: str = "") -> Path:
    """The path that a file of git's holds, from its own folder on."""
    if not file.is_file():
        raise ValueError("no file of git's")
    with file.open(encoding="utf-8", errors="surrogateescape") as text:
        line = text.read(_LONGEST)
    if not line.startswith(before):
        raise ValueError("no pointer of git's")
    return (file.parent / line.removeprefix(before).strip()).resolve()
