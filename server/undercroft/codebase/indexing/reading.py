"""Files read once and for all: bytes and a signature that belong together, then a text."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from undercroft.codebase import walking
from undercroft.codebase.indexing.batch import Wanted

GONE = "gone"
"""What `walking.read` says of a file that was deleted since the walk."""

TRIES = 3
"""How often a file is read again that is being written."""

UNSETTLED = 100_000_000
"""Nanoseconds: file systems count time in steps of up to 10 ms, so that two writes may have one
time. A file read so soon after its last write is read again the next time."""

SURROGATES = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
RESTORED = {stored: surrogate for surrogate, stored in SURROGATES.items()}


def stored_path(path: str) -> str:
    """A path as the database can keep it: bytes that are no text stand in a private range."""
    return path if path.isascii() else path.translate(SURROGATES)


def disk_path(path: str) -> str:
    """The path that `stored_path` was given."""
    return path if path.isascii() else path.translate(RESTORED)


def signature(root: Path, path: str) -> Wanted | None:
    """A file's size, time and inode now; None: it is gone."""
    try:
        found = os.lstat(f"{root}/{path}")
    except OSError:
        return None
    return Wanted(path, found.st_size, found.st_mtime_ns, signed(found.st_ino))


def signed(inode: int) -> int:
    """An inode as a bigint."""
    return inode - (1 << 64) if inode >> 63 else inode


class Read(NamedTuple):
    """A file as it was at one moment."""

    file: Wanted
    text: str
    omitted: str
    """Why it is left out; GONE: it is no more."""
    settled: bool
    """The signature would tell of any later change."""


def read_files(root: Path, files: Iterable[Wanted]) -> Iterator[Read]:
    """Files one after the other; folders stay open from one to the next."""
    with ExitStack() as stack:
        try:
            ladder = stack.enter_context(walking.Ladder(root))
        except OSError:
            ladder = None
        for file in files:
            yield read_file(root, file, ladder)


def read_file(root: Path, wanted: Wanted, ladder: walking.Ladder | None = None) -> Read:
    """A file's text with the signature that belongs to it.

    Through folders that are open already only the very file is taken that the walk saw and that
    its path still leads to; whatever else they show is looked at anew from the root on.
    """
    if ladder is not None:
        data = walking.read_from(ladder, walking.FoundFile(*wanted))
        if not isinstance(data, str) and signature(root, wanted.path) == wanted:
            return _judged(wanted, data, steady=True)
    before = wanted
    steady = False
    for _ in range(TRIES):
        found = walking.read(root, walking.FoundFile(*before))
        after = signature(root, before.path)
        if after is None or found == GONE:
            return Read(before, "", GONE, settled=True)
        steady, before = after == before, after
        if steady:
            break
    return _judged(before, found, steady=steady)


def _judged(file: Wanted, data: bytes | str, *, steady: bool) -> Read:
    settled = steady and time.time_ns() - file.mtime_ns > UNSETTLED
    reason = data if isinstance(data, str) else walking.classify(file.path, data)
    text = None if isinstance(data, str) or reason else walking.decode(data)
    return Read(file, text or "", reason or ("binary" if text is None else ""), settled)


def digest(rules: str, language: str, text: str) -> str:
    """What a content is known by."""
    state = hashlib.blake2b(f"{rules}\0{language}\0".encode(), digest_size=20)
    state.update(text.encode("utf-8", "replace"))
    return state.hexdigest()
