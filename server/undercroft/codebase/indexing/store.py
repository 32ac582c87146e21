"""A batch goes into the database: all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from undercroft.codebase import words
from undercroft.codebase.indexing import binary
from undercroft.codebase.indexing.batch import Batch, Seen
from undercroft.codebase.indexing.reading import stored_path
from undercroft.codebase.indexing.sql import SQL, VECTORS

if TYPE_CHECKING:
    from undercroft.codebase.indexing.lease import Lease
    from undercroft.db.database import Database

COLUMNS = {
    "contents": (
        *("id", "first_chunk", "chunk_count", "lines", "bytes", "masked"),
        *("hash", "language", "fallback", "uses"),
    ),
    "chunks": (
        *("id", "content_id", "start_line", "end_line"),
        *("kind", "symbol", "scope", "content"),
    ),
    "symbols": ("content_id", "end_line", "name", "role", "kind", "scope", "lines"),
    "embeddings": ("chunk_id", "model", "embedding"),
    "postings": ("segment_id", "term", "postings"),
}
"""In the order in which a worker writes them."""


class Overtaken(Exception):
    """Another process has stored one of the contents since they were asked for."""


async def store(db: Database, lease: Lease, batch: Batch, model: int = 0) -> list[str]:
    """Store a batch; paths of files whose content is not there and has to be read again.

    `model`: the number of the model that its vectors are of.

    Raises:
        Overtaken: Nothing was stored; the batch is to be read again.
        LeaseLost, Cancelled: Nothing was stored.

    """
    async with db.transaction() as bound:
        # Even for files alone: what they hold must not be tidied away meanwhile.
        first = await _numbers(bound, batch)
        if batch.hashes:
            await _add(bound, batch, first, model)
        kept = await _put(bound, lease.repository, [file for file in batch.files if _there(file)])
        gone = [stored_path(file.path) for file in batch.files if not _there(file)]
        if gone:
            await bound.execute(SQL.delete_files, lease.repository, gone)
        kept.update(gone)
        await lease.admit(bound, len(kept))
    return [file.path for file in batch.files if stored_path(file.path) not in kept]


def _there(file: Seen) -> bool:
    return bool(file.digest or file.omitted)


async def _numbers(db: Database, batch: Batch) -> Mapping[str, int]:
    """Where the numbers of the batch begin; from now on no other transaction adds or removes."""
    first = await db.fetch_row(
        SQL.take_numbers, len(batch.hashes), batch.chunks, 1 if batch.chunks else 0
    )
    assert first is not None  # noqa: S101 - the migration made the row
    return {key: first[key] for key in ("content", "chunk", "segment")}


async def _add(db: Database, batch: Batch, first: Mapping[str, int], model: int) -> None:
    """Contents and all that follows from them."""
    if await db.fetch(SQL.find_hashes, batch.hashes):
        raise Overtaken
    content, chunk, segment = first["content"], first["chunk"], first["segment"]
    shifts = {
        "contents": ((binary.FIRST, 8, content), (binary.SECOND, 8, chunk)),
        "chunks": ((binary.FIRST, 8, chunk), (binary.SECOND, 8, content)),
        "symbols": ((binary.FIRST, 8, content),),
        "embeddings": ((binary.FIRST, 8, chunk),),
        "postings": ((binary.FIRST, 4, segment),),
    }
    for table, columns in COLUMNS.items():
        if rows := batch.rows[table]:
            await db.copy(f"codebase.{table}", columns, binary.shifted(rows, *shifts[table]))
    if batch.chunks:
        await db.execute(
            SQL.add_segment,
            *(segment, chunk, batch.chunks, batch.chunks, batch.total, batch.lengths),
        )
    if batch.rows["embeddings"]:
        await db.execute(VECTORS.follow_up, model, chunk - 1, chunk + batch.chunks - 1)


async def _put(db: Database, repository: UUID, files: Sequence[Seen]) -> set[str]:
    """Write the files' rows; paths, as stored, of those whose content is there."""
    if not files:
        return set()
    rows = await db.fetch(
        SQL.put_files,
        repository,
        [stored_path(file.path) for file in files],
        [file.digest for file in files],
        [file.omitted for file in files],
        [file.size for file in files],
        [file.mtime_ns for file in files],
        [file.inode for file in files],
        [" ".join(dict.fromkeys(words.terms(stored_path(file.path)))) for file in files],
    )
    return {row["path"] for row in rows}
