"""Rows in the binary format of COPY, whose numbers are shifted once the database has given them.

A worker numbers contents, chunks and the segment from 0 on; the transaction that stores them
knows where the numbers begin and adds that to all of them at once. So each such number
stands at a fixed distance from the beginning of its row.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TAIL = b"\xff\xff"

FIRST = 6
"""Distance of a row's first value: after the number of columns and its own length."""
SECOND = 18
"""Distance of the second, where the first has eight bytes."""

_LENGTH = struct.Struct("!i")
_POSTING = struct.Struct("!hii")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of one table, without head and tail."""

    data: bytes
    starts: bytes
    """Where each row begins, as int32."""

    def __len__(self) -> int:
        return len(self.starts) // 4


def pack(rows: Iterable[bytes]) -> Rows:
    """Rows that the caller has packed."""
    packed = list(rows)
    lengths = np.fromiter(map(len, packed), dtype=np.int32, count=len(packed))
    starts = np.cumsum(lengths, dtype=np.int32) - lengths
    return Rows(data=b"".join(packed), starts=starts.tobytes())


def text(value: str) -> bytes:
    """A text with its length."""
    data = value.encode("utf-8", "replace")
    return _LENGTH.pack(len(data)) + data


@lru_cache(maxsize=1 << 12)
def word(value: str) -> bytes:
    """As `text`, for one that comes again and again."""
    return text(value)


def blob(value: bytes) -> bytes:
    """Bytes with their length."""
    return _LENGTH.pack(len(value)) + value


def integers(values: Sequence[int]) -> bytes:
    """An integer[] with its length."""
    n = len(values)
    if not n:
        return struct.pack("!iiii", 12, 0, 0, 23)
    return struct.pack(f"!iiiiii{'ii' * n}", 20 + 8 * n, 1, 0, 23, n, 1,
                       *(part for value in values for part in (4, value)))  # fmt: skip


def postings(terms: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """(segment_id, term, postings) rows; in the order of the index they cost it least."""
    head = _POSTING.pack(3, 4, 0)
    length = _LENGTH.pack
    for term, data in terms:
        name = term.encode("utf-8", "replace")
        yield head + length(len(name)) + name + length(len(data)) + data


def vectors(ids: npt.NDArray[np.int64], model: int, vectors: npt.NDArray[np.float32]) -> Rows:
    """(chunk_id, model, halfvec) rows."""
    count, dimension = vectors.shape
    row = np.dtype([
        ("columns", ">i2"), ("l1", ">i4"), ("id", ">i8"), ("l2", ">i4"), ("model", ">i2"),
        ("l3", ">i4"), ("dimension", ">i2"), ("unused", ">i2"), ("vector", ">f2", (dimension,)),
    ])  # fmt: skip
    rows = np.zeros(count, dtype=row)
    rows["columns"], rows["l1"], rows["l2"], rows["l3"] = 3, 8, 2, 4 + 2 * dimension
    rows["id"], rows["model"], rows["dimension"] = ids, model, dimension
    rows["vector"] = vectors
    starts = np.arange(count, dtype=np.int32) * row.itemsize
    return Rows(data=rows.tobytes(), starts=starts.tobytes())


def shifted(rows: Rows, *shifts: tuple[int, int, int]) -> bytearray:
    """The whole COPY, each (distance, width, amount) added to the number in every row there."""
    head = len(HEAD)
    data = bytearray().join((HEAD, rows.data, TAIL))
    view = np.frombuffer(data, dtype=np.uint8)
    starts = np.frombuffer(rows.starts, dtype=np.int32).astype(np.int64) + head
    for distance, width, amount in shifts:
        places = starts[:, None] + np.arange(distance, distance + width)
        kind = f">i{width}"
        numbers = np.ascontiguousarray(view[places]).view(kind) + amount
        view[places] = numbers.astype(kind).view(np.uint8).reshape(-1, width)
    return data
