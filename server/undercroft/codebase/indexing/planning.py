"""What a run has to do: the folder as it is now against the files as they are stored."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from undercroft.codebase.indexing.batch import Wanted
from undercroft.codebase.indexing.reading import signed, stored_path
from undercroft.codebase.indexing.rules import RULES
from undercroft.codebase.indexing.sql import SQL
from undercroft.errors import InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

    from undercroft.codebase.walking import FoundFile, Walk
    from undercroft.db.database import Database

BATCH_FILES = 500
BATCH_BYTES = 4_000_000
"""A batch ends with whichever comes first: it bounds the memory of a worker."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A walk and what is known by it."""

    walk: Walk
    digest: bytes
    """Of all paths, sizes, times and inodes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The difference between disk and index."""

    changed: Sequence[Wanted]
    removed: Sequence[str]
    """Paths as they are stored."""

    @property
    def size(self) -> int:
        """Bytes to be read."""
        return sum(file.size for file in self.changed)


def look(root: Path) -> Look:
    """Walk a folder.

    Raises:
        InvalidInput: It is no folder, or it cannot be opened.

    """
    from undercroft.codebase.walking import walk  # noqa: PLC0415 - on first use

    try:
        found = walk(root)
    except OSError as error:
        raise InvalidInput(
            "The folder cannot be read.", hint="Give an existing folder that you may read."
        ) from error
    return Look(walk=found, digest=_digest(found.files))


def _digest(files: Sequence[FoundFile]) -> bytes:
    """Column by column: three times as fast as file by file."""
    digest = hashlib.blake2b(digest_size=16)
    if files:
        paths, sizes, times, inodes = zip(*files, strict=True)
        digest.update("\0".join(paths).encode("utf-8", "surrogateescape"))
        for numbers in (array("Q", sizes), array("q", times), array("Q", inodes)):
            digest.update(numbers.tobytes())
    return digest.digest()


async def plan(db: Database, repository: UUID, found: Look, rules: str) -> Plan:
    """Compare; where the rules are others than these files were read by, all of them count."""
    rows = await db.fetch(SQL.list_files, repository)
    known = {row["path"]: (row["size"], row["mtime_ns"], row["inode"]) for row in rows}
    changed = []
    for path, size, mtime_ns, inode in found.walk.files:
        number = signed(inode)
        stored = known.pop(stored_path(path), None)
        if stored != (size, mtime_ns, number) or rules != RULES:
            changed.append(Wanted(path, size, mtime_ns, number))
    return Plan(changed=changed, removed=list(known))


def batches(
    files: Iterable[Wanted], most: int = BATCH_FILES, size: int = BATCH_BYTES
) -> Iterator[list[Wanted]]:
    """Files in batches, neighbours together."""
    batch: list[Wanted] = []
    total = 0
    for file in files:
        if batch and (len(batch) >= most or total + file.size > size):
            yield batch
            batch, total = [], 0
        batch.append(file)
        total += file.size
    if batch:
        yield batch
