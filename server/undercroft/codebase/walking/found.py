"""What a walk answers: the files it found, and what it left out and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

EXAMPLES = 3
"""Paths kept for each reason, so that a status can show some."""

EXAMPLE_LENGTH = 200
"""Characters of an example at most."""


class FoundFile(NamedTuple):
    """A file worth reading, as the folder's listing saw it."""

    path: str
    """POSIX, relative to the root; bytes that are no text are surrogates, as `os.fsdecode` does."""
    size: int
    """Bytes."""
    mtime_ns: int
    inode: int


@dataclass(kw_only=True)
class Omissions:
    """What was left out, counted by reason.

    The reasons are stable words: binary, deep, generated, ignored, link, lockfile, minified,
    mount, name, outside, secret, special, too_large, unreadable, vendored, worktree.
    A folder that was not entered counts once, and its example ends with a slash. Where git lists
    the files, those in such a folder count one by one, with the folder as their example; what git
    ignores does not count, unless there is nothing else.
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, path: str) -> None:
        """Count one path."""
        self.counts[reason] = count = self.counts.get(reason, 0) + 1
        if count <= EXAMPLES and (shown := _presentable(path)) not in self.examples.get(reason, ()):
            self.examples.setdefault(reason, []).append(shown)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """One look at a folder."""

    files: list[FoundFile]
    """Sorted by path."""
    omissions: Omissions
    by_git: bool
    """Git told which files of the root count; otherwise the ignore files were read here."""
    truncated: bool
    """The walk stopped at its largest number of files."""


def _presentable(path: str) -> str:
    """The path as text that any store takes and any terminal shows."""
    text = path if path.isprintable() else path.encode("unicode_escape").decode("ascii")
    return text if len(text) <= EXAMPLE_LENGTH else "…" + text[1 - EXAMPLE_LENGTH :]
