"""A provider of embeddings on loopback, and servers that offer it to projects."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from undercroft.app import App, open_app
from undercroft.codebase.embedding import endpoint
from undercroft.codebase.embedding.endpoint import Patience
from undercroft.codebase.service import Codebase
from undercroft.db.database import Database
from undercroft.offers import BUILTIN, EmbeddingOffer
from undercroft.settings import Settings

from .provider import Provider, serving

FILES = 24


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def offer(provider: Provider) -> EmbeddingOffer:
    """Small batches, so that a few files make many of them."""
    return EmbeddingOffer(name="tiny", model="tiny-code", url=provider.url, batch=4)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of small files, all different."""
    root = tmp_path / "tree"
    root.mkdir()
    for number in range(FILES):
        path = root / f"module_{number}.py"
        path.write_text(f"def reticulate_{number}(spline):\n    return spline + {number}\n")
    age(root)
    return root


def age(root: Path) -> None:
    """As if written a while ago: what was written just now is read twice."""
    for path in root.rglob("*.py"):
        seen = path.stat()
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns - 10**10))


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider is asked once at a time."""
    once = Patience(attempts=1, timeout=20.0)
    monkeypatch.setattr(endpoint, "FOR_CODE", once)
    monkeypatch.setattr(endpoint, "FOR_QUERY", once)


@dataclass(kw_only=True)
class Server:
    """One server with its project."""

    app: App
    db: Database
    codebase: Codebase

    async def choose(self, project: str, choice: Any) -> None:
        """As `update_project` does it; seen at once."""
        await (await self.app.projects("test")).update(project, settings={"embedding": choice})
        self.app.started.models.forget()

    async def rows(self, statement: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.db.fetch_text(statement)]

    def begin(self) -> None:
        """Look after the vectors now."""
        self.codebase.indexer._shop.embedding.begin(self.db, self.app.started.models)

    async def align(self) -> None:
        """Look after the vectors now, and wait for what can be done."""
        self.begin()
        await self.codebase.settled()

    async def told(self) -> str | None:
        """What the status says of the vectors."""
        [status] = await self.codebase.status()
        return status.vectors

    async def check(self, name: str) -> None:
        """Every chunk has exactly one vector, of this model; and no vector is left over."""
        owners = await self.rows(
            "SELECT k.id, array_agg(m.identity) AS owners FROM codebase.chunks k"
            " LEFT JOIN codebase.embeddings e ON e.chunk_id = k.id"
            " LEFT JOIN codebase.models m ON m.id = e.model GROUP BY k.id"
        )
        assert owners
        assert {len(row["owners"]) for row in owners} == {1}
        [[identity]] = {tuple(row["owners"]) for row in owners}
        assert name in identity
        assert not await self.rows(
            "SELECT FROM codebase.embeddings e"
            " WHERE NOT EXISTS (SELECT FROM codebase.chunks k WHERE k.id = e.chunk_id)"
        )


Serve = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def serve(settings: Settings, offer: EmbeddingOffer, project_name: str) -> Serve:
    """A server of its own that offers the model and opens the project, made if it is not there."""

    @asynccontextmanager
    async def serve(embedding: str = BUILTIN, **changed: Any) -> AsyncIterator[Server]:
        offers = (replace(offer, **changed),)
        chosen = replace(settings, embedding_models=offers, embedding=embedding)
        async with open_app(chosen) as app:
            await (await app.projects("test")).create(project_name)
            db = (await app.open(project_name)).database
            yield Server(app=app, db=db, codebase=Codebase(db, models=app.started.models))

    return serve


@pytest.fixture
def index(tree: Path) -> Callable[[Server], Awaitable[None]]:
    """Index the folder; its vectors may still be under way."""

    async def index(server: Server) -> None:
        files = await asyncio.to_thread(lambda: len(list(tree.iterdir())))
        done = await server.codebase.index(tree, "code", wait=60)
        assert (done.status, done.files) == ("completed", files)

    return index
