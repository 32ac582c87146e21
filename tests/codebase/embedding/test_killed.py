"""Servers that are killed while they embed: the next one goes on where they stopped."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from undercroft.offers import EmbeddingOffer
from undercroft.settings import Settings

if TYPE_CHECKING:
    from .conftest import Serve, Server

Index = Callable[["Server"], Awaitable[None]]

FILES = 24


@dataclass(frozen=True, kw_only=True)
class Doomed:
    """Servers that are killed."""

    settings: Settings
    project: str
    root: Path
    offer: EmbeddingOffer

    async def killed_at(self, *numbers: int) -> list[int]:
        """The signal that ended each as it sent that statement; 0: it lived."""
        return await deaths(self, numbers)


@pytest.fixture
def doomed(settings: Settings, project_name: str, tree: Path, offer: EmbeddingOffer) -> Doomed:
    return Doomed(settings=settings, project=project_name, root=tree, offer=offer)


async def deaths(doomed: Doomed, numbers: Sequence[int]) -> list[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).parents[1] / "indexing" / "victim.py"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    order = {
        "home": str(doomed.settings.home),
        "database_url": doomed.settings.database_url,
        "registry": doomed.settings.registry_database,
        "project": doomed.project,
        "root": str(doomed.root),
        "offers": [asdict(doomed.offer)],
        "embedding": doomed.offer.name,
        "numbers": numbers,
    }
    said, _ = await process.communicate(json.dumps(order).encode())
    assert process.returncode == 0
    return [json.loads(line) for line in said.splitlines()]


PROMISED = """
    SELECT k.id FROM codebase.models m JOIN codebase.chunks k ON k.id <= m.filled_to
    WHERE m.identity LIKE 'openai%' AND NOT EXISTS
        (SELECT FROM codebase.embeddings e WHERE e.chunk_id = k.id AND e.model = m.id)"""
STORED = """
    SELECT count(*) AS vectors FROM codebase.embeddings e JOIN codebase.models m ON m.id = e.model
    WHERE m.identity LIKE 'openai%'"""


async def test_killed_at_any_statement_no_vector_is_lost_or_doubled(
    serve: Serve, index: Index, doomed: Doomed
) -> None:
    """Each death goes on where the one before has stopped, until one lives to the end."""
    async with serve() as server:
        await index(server)
        await server.codebase.settled()
        counts, killed = [0], [9]
        for first in range(16, 100, 4):
            killed = await doomed.killed_at(*range(first, first + 4))
            assert not await server.rows(PROMISED)
            counts.append((await server.rows(STORED))[0]["vectors"])
            if 0 in killed:
                break
        assert counts == sorted(counts)
        assert any(0 < count < FILES for count in counts)
        assert killed[-1] == 0
        await server.check("tiny-code")
