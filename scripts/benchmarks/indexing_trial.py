"""One project into which a repository is indexed, and what is told of that."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import corpus
from benchmarks.bare_copy import SQL
from benchmarks.resources import cpu_seconds
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.service import Codebase

if TYPE_CHECKING:
    import asyncpg

    from undercroft.codebase.indexing.models import RunReport
    from undercroft.db.database import Database

PATIENCE = 60.0
"""Seconds that bringing the index up to date may take."""

WEIGHTY = 12
"""Languages that are named."""


@dataclass(kw_only=True)
class Trial:
    """One project, and what is measured while a repository is indexed into it."""

    database: Database
    connection: asyncpg.Connection
    report: RunReport | None = None
    cpu: dict[str, float] = field(default_factory=dict)
    settled: float = 0.0
    """Seconds that what goes on in the background took afterwards: the graph over the vectors."""

    @property
    def indexer(self) -> Indexer:
        """Of this project."""
        return Indexer(self.database.outside())

    async def index(self, root: Path) -> float:
        """Seconds until a folder is searchable."""
        before = cpu_seconds(self.connection.get_server_pid())
        began = time.perf_counter()
        self.report = await self.indexer.index(root)
        seconds = time.perf_counter() - began
        after = cpu_seconds(self.connection.get_server_pid())
        self.cpu = {name: after[name] - before[name] for name in after}
        await self._prove_searchable()
        await self.indexer.settled()
        self.settled = time.perf_counter() - began - seconds
        return seconds

    async def _prove_searchable(self) -> None:
        name = await self.connection.fetchval(SQL.find_name.text)
        found = await Codebase(self.database).search(name)
        if not any(name in hit.text for hit in found.items):
            raise RuntimeError("what was indexed is not found")

    async def size(self) -> float:
        """Megabytes of the database."""
        return float(await self.connection.fetchval(SQL.measure_database.text)) / 1e6

    async def refresh(self) -> None:
        """What every search does first."""
        assert self.report is not None  # noqa: S101 - `index` comes first
        fresh = await self.indexer.refresh(self.report.repository, PATIENCE)
        if not fresh.complete:
            raise RuntimeError("the index was not brought up to date")

    async def details(self, root: Path) -> dict[str, str]:
        """What no target judges."""
        report = self.report
        assert report is not None  # noqa: S101 - `index` comes first
        sizes = [(root / path).stat().st_size for path in corpus.listed(root)]
        languages = await self.connection.fetch(SQL.count_languages.text, WEIGHTY)
        left_out = ", ".join(f"{reason} {count}" for reason, count in report.omitted.items())
        return {
            "corpus": f"{len(sizes):,} files, {sum(sizes) / 1e6:.1f} MB, {report.chunks:,} chunks; "
            f"left out: {left_out or 'none'}",
            "languages": ", ".join(f"{row['language']} {row['files']:,}" for row in languages),
            "stages, workers added up": _seconds(report.stages),
            "CPU": _seconds(self.cpu),
            "in the background afterwards": f"{self.settled:.1f} s",
        }


def _seconds(parts: Mapping[str, float]) -> str:
    each = ", ".join(f"{name} {seconds:.2f}" for name, seconds in parts.items())
    return f"{each}; together {sum(parts.values()):.2f} s"
