"""Folders of code, an indexer over a fresh project, and what holds of every index."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from undercroft.codebase.indexing.indexer import Indexer
from undercroft.db.database import Database
from undercroft.settings import Settings

Look = Callable[[str], Awaitable[list[Any]]]

FAULTS = {
    "a chunk without its content": """
        SELECT k.id FROM codebase.chunks k LEFT JOIN codebase.contents c
        ON c.id = k.content_id AND k.id >= c.first_chunk AND k.id < c.first_chunk + c.chunk_count
        WHERE c.id IS NULL""",
    "a content without one of its chunks": """
        SELECT c.id FROM codebase.contents c WHERE c.chunk_count <>
        (SELECT count(*) FROM codebase.chunks k WHERE k.content_id = c.id)""",
    "a chunk without its vector, or with two": """
        SELECT k.id FROM codebase.chunks k
        LEFT JOIN codebase.embeddings e ON e.chunk_id = k.id GROUP BY k.id HAVING count(e) <> 1""",
    "a vector without its chunk": """
        SELECT e.chunk_id FROM codebase.embeddings e
        LEFT JOIN codebase.chunks k ON k.id = e.chunk_id WHERE k.id IS NULL""",
    "a chunk that is not in exactly one segment": """
        SELECT k.id FROM codebase.chunks k LEFT JOIN codebase.segments s
        ON k.id >= s.first_chunk AND k.id < s.first_chunk + s.chunks
        GROUP BY k.id HAVING count(s) <> 1""",
    "postings without their segment": """
        SELECT p.term FROM codebase.postings p
        LEFT JOIN codebase.segments s ON s.id = p.segment_id WHERE s.id IS NULL""",
    "a segment without postings": """
        SELECT s.id FROM codebase.segments s WHERE s.total > 0
        AND NOT EXISTS (SELECT FROM codebase.postings p WHERE p.segment_id = s.id)""",
    "a symbol without its content": """
        SELECT s.name FROM codebase.symbols s
        LEFT JOIN codebase.contents c ON c.id = s.content_id WHERE c.id IS NULL""",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with thirty small files, all different."""
    root = tmp_path / "tree"
    for number in range(30):
        path = root / f"part{number % 3}" / f"module_{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f'"""Module {number}."""\n\n\ndef reticulate_{number}(spline):\n'
            f"    return spline + {number}\n"
        )
    (root / "README.md").write_text("# Splines\n\nHow to reticulate them.\n")
    age(root)
    return root


def age(root: Path) -> None:
    """As if written a while ago: what was written just now is read twice."""
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            seen = path.stat()
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns - 10**10))


@pytest.fixture
def aged() -> Callable[[Path], None]:
    return age


@pytest.fixture
def rewrite() -> Callable[[Path, str, str], None]:
    """Replace a word in every module of a folder."""

    def rewrite(root: Path, old: str, new: str) -> None:
        for path in root.rglob("*.py"):
            path.write_text(path.read_text().replace(old, new))

    return rewrite


@pytest.fixture
def indexer(project_db: Database) -> Indexer:
    return Indexer(project_db)


@pytest.fixture
def rows(project_db: Database) -> Look:
    """Run a statement of the test's own."""

    async def rows(statement: str) -> list[Any]:
        return await project_db.fetch_text(statement)

    return rows


@pytest.fixture
def sound(rows: Look) -> Callable[[], Awaitable[None]]:
    """Assert what holds of every index at any moment."""

    async def sound() -> None:
        for fault, statement in FAULTS.items():
            assert not await rows(statement), fault

    return sound


@dataclass(kw_only=True)
class Bench:
    """A project that several servers use."""

    settings: Settings
    project: str
    db: Database
    rows: Look
    sound: Callable[[], Awaitable[None]]

    def indexer(self, **sizes: int) -> Indexer:
        return Indexer(self.db, None, **sizes)


@pytest.fixture
def bench(settings: Settings, project: str, project_db: Database, rows: Look, sound) -> Bench:
    return Bench(settings=settings, project=project, db=project_db, rows=rows, sound=sound)
