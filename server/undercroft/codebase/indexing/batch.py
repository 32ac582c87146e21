"""A batch of files: what is asked of a worker, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from undercroft.codebase.indexing.binary import Rows

TABLES = ("contents", "chunks", "symbols", "embeddings", "postings")
"""What is copied; of each, the rows and where they begin."""


class Wanted(NamedTuple):
    """A file to be read; the signature is that of the walk."""

    path: str
    size: int
    mtime_ns: int
    inode: int


class Seen(NamedTuple):
    """A file as it was read."""

    path: str
    size: int
    mtime_ns: int
    """0: another write could have the same time."""
    inode: int
    digest: str
    """Hexadecimal; empty: it was left out, or is gone."""
    omitted: str
    """Why it was left out; empty with an empty digest: it is gone."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Files with all that is to be stored for them; numbers begin with 0."""

    files: Sequence[Seen]
    hashes: Sequence[str]
    """Digests of the new contents, in the order of their rows."""
    chunks: int
    lengths: bytes
    total: int
    """Terms of all chunks."""
    rows: Mapping[str, Rows]
    stages: Mapping[str, float] = field(default_factory=dict)


def encode(batch: Batch) -> tuple[dict[str, Any], list[bytes]]:
    """As JSON values and the bytes that follow them."""
    blobs = [batch.lengths]
    for table in TABLES:
        rows = batch.rows[table]
        blobs += [rows.data, rows.starts]
    head = {
        "files": batch.files,
        "hashes": batch.hashes,
        "chunks": batch.chunks,
        "total": batch.total,
        "stages": batch.stages,
    }
    return head, blobs


def decode(head: Mapping[str, Any], blobs: Sequence[bytes]) -> Batch:
    """What `encode` was given."""
    pairs = zip(blobs[1::2], blobs[2::2], strict=True)
    tables = zip(TABLES, pairs, strict=True)
    return Batch(
        files=[Seen(*file) for file in head["files"]],
        hashes=head["hashes"],
        chunks=head["chunks"],
        lengths=blobs[0],
        total=head["total"],
        rows={table: Rows(data=data, starts=starts) for table, (data, starts) in tables},
        stages=head["stages"],
    )


def frame(head: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> list[bytes]:
    """A message: length of the head, head, and the bytes whose lengths it tells."""
    body = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode()
    return [len(body).to_bytes(4, "big"), body, *blobs]
