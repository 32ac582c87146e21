"""A project whose code is searched: real files of the Python installation, multiplied.

The first part is indexed by the product itself. Further parts are hard links on disk and copied
rows in the database: every content, chunk and segment has its own number, rare names and terms get
an ending of their own (a vocabulary grows with what is written), lengths differ by a fifth and
vectors by noise of seven tenths of their length, so that no two parts answer alike. Disk and index
agree, so that a search finds nothing to do when it looks at the folder first.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.ground import ask, bare_connection
from undercroft.codebase.indexing import binary
from undercroft.codebase.indexing.planning import look
from undercroft.codebase.indexing.store import COLUMNS
from undercroft.codebase.indexing.vectors import keep_index
from undercroft.codebase.service import Codebase
from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    import asyncpg

    from benchmarks.frame import Effort
    from undercroft.app import App

SQL = load_queries("benchmarks", "code_room.sql")
PROJECT = "code"
DATABASE = f"project_{PROJECT}"
NOISE = 0.7
"""Length of what is added to a vector of length 1: it keeps a cosine of 0.82 with the first."""
HOUR = 3_600.0
LARGEST = 400_000
"""Bytes of a file that is taken."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What there is to be searched."""

    folder: Path
    files: int
    chunks: int


def sources() -> Iterator[tuple[str, Path]]:
    """Python files of this installation, library by library, with the paths they shall have."""
    for key in ("stdlib", "purelib"):
        top = Path(sysconfig.get_path(key))
        for path in sorted(top.rglob("*.py")):
            inside = path.relative_to(top)
            if "site-packages" not in inside.parts and 0 < path.stat().st_size < LARGEST:
                yield f"{key}/{inside}", path


def copy_sources(folder: Path, most: int) -> None:
    """Write so many files into the first part."""
    found = list(sources())
    step = max(1, len(found) // most)
    for name, path in found[::step][:most]:
        target = folder / "part0" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)


async def make(app: App, folder: Path, effort: Effort, files: int) -> Room:
    """A project with the code of so many real files."""
    copy_sources(folder, files)
    await ask(app, "create_project", name=PROJECT)
    effort.tell(f"room: indexing {files:,} files")
    arguments = {"project": PROJECT, "path": str(folder), "name": "code", "wait_seconds": 50}
    while (await ask(app, "index_repository", **arguments))["status"] != "completed":
        effort.tell("room: still indexing")
    await Codebase((await app.open(PROJECT)).database).settled()
    return await grow(app, folder, effort, chunks=0)


async def grow(app: App, folder: Path, effort: Effort, chunks: int) -> Room:
    """Add parts until there are at least so many chunks."""
    async with bare_connection(app, DATABASE) as connection:
        copier = await Copier.begin(connection, folder)
        while copier.chunks < chunks:
            effort.tell(f"room: {copier.chunks:,} of {chunks:,} chunks")
            await copier.add_part()
        await connection.execute(SQL.count_vectors.text)
        await connection.execute(SQL.end_copying.text, look(folder).digest)
        owner = await connection.fetchval(SQL.get_owner.text)
        await connection.execute(f"SET ROLE {owner}")
        await connection.execute(SQL.tidy_files.text, timeout=HOUR)
        size = await connection.fetchrow(SQL.count_room.text)
    effort.tell("room: the graph over the vectors")
    await keep_index((await app.open(PROJECT)).database)
    return Room(folder=folder, files=size["files"], chunks=size["chunks"])


@dataclass(kw_only=True)
class Copier:
    """Adds part after part."""

    connection: asyncpg.Connection
    folder: Path
    one: Mapping[str, int]
    """Numbers of contents, chunks and segments of the first part."""
    parts: int

    @classmethod
    async def begin(cls, connection: asyncpg.Connection, folder: Path) -> Copier:
        """Take up where the last one has ended."""
        parts = len(os.listdir(folder))  # noqa: PTH208 - a benchmark may block
        size = await connection.fetchrow(SQL.get_sizes.text)
        one = {key: size[key] // parts for key in ("contents", "chunks", "segments")}
        return cls(connection=connection, folder=folder, one=one, parts=parts)

    @property
    def chunks(self) -> int:
        """Chunks so far, about."""
        return self.parts * self.one["chunks"]

    async def add_part(self) -> None:
        """The first part once more."""
        name, number = f"part{self.parts}", self.parts
        shutil.copytree(self.folder / "part0", self.folder / name, copy_function=os.link)
        contents, chunks, segments = (number * self.one[key] for key in self.one)
        await self._run("copy_contents", self.one["contents"], contents, chunks)
        await self._run("copy_chunks", self.one["chunks"], chunks, contents)
        await self._run("copy_symbols", self.one["contents"], contents, str(number))
        await self._run("copy_postings", self.one["segments"], segments, str(number))
        await self._run("copy_files", self.one["contents"], contents, name)
        await self._copy_segments(number)
        await self._copy_vectors(number)
        await self._run("raise_counters", *self.one.values())
        self.parts += 1

    async def _run(self, name: str, *arguments: Any) -> None:
        await self.connection.execute(getattr(SQL, name).text, *arguments, timeout=HOUR)

    async def _copy_segments(self, number: int) -> None:
        chance = np.random.default_rng(number)
        for row in await self.connection.fetch(SQL.read_segments.text, self.one["segments"]):
            lengths = np.frombuffer(row["lengths"], "<u2") * chance.uniform(0.8, 1.2, row["chunks"])
            lengths = lengths.astype("<u2")
            await self._run(
                "copy_segment",
                row["id"] + number * self.one["segments"],
                row["first_chunk"] + number * self.one["chunks"],
                row["chunks"],
                int(lengths.sum(dtype=np.int64)),
                lengths.tobytes(),
            )

    async def _copy_vectors(self, number: int) -> None:
        statement = SQL.read_vectors.text.format(chunks=self.one["chunks"])
        out = BytesIO()
        await self.connection.copy_from_query(statement, output=out, format="binary")
        ids, model, vectors = _vectors(out.getvalue())
        chance = np.random.default_rng(number)
        noise = chance.standard_normal(vectors.shape, np.float32)
        noise *= NOISE / np.sqrt(vectors.shape[1])
        vectors = vectors + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = binary.vectors(ids + number * self.one["chunks"], model, vectors)
        data = BytesIO(binary.HEAD + rows.data + binary.TAIL)
        await self.connection.copy_to_table(
            "embeddings",
            schema_name="codebase",
            columns=COLUMNS["embeddings"],
            source=data,
            format="binary",
        )


def _vectors(data: bytes) -> tuple[npt.NDArray[np.int64], int, npt.NDArray[np.float32]]:
    """Chunks, model and vectors out of what COPY has written."""
    row = binary.vector_row(dimension=_dimension(data))
    rows = np.frombuffer(data[len(binary.HEAD) : -len(binary.TAIL)], dtype=row)
    return rows["id"].astype(np.int64), int(rows["model"][0]), rows["vector"].astype(np.float32)


def _dimension(data: bytes) -> int:
    """It follows the number of columns, a chunk, a model and the vector's length."""
    at = len(binary.HEAD) + 2 + (4 + 8) + (4 + 2) + 4
    return int.from_bytes(data[at : at + 2], "big")
