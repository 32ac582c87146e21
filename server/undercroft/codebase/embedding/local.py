"""The model that comes along, as one among others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from undercroft.codebase.embedding import StaticModel, builtin, remembered
from undercroft.codebase.embedding.model import Floats
from undercroft.offers import BUILTIN


class BuiltIn:
    """Runs in this process, at 20,000 chunks a second."""

    name = BUILTIN
    batch = 1_024
    concurrency = 1
    here = True

    def __init__(self) -> None:
        self._model: StaticModel | None = None

    async def identity(self) -> str:
        """See `Model`."""
        return (await self._loaded()).identity

    async def dimension(self) -> int:
        """See `Model`."""
        return (await self._loaded()).dimension

    async def documents(self, texts: Sequence[str]) -> Floats:
        """See `Model`."""
        return await asyncio.to_thread((await self._loaded()).encode, texts)

    async def query(self, text: str) -> Floats:
        """See `Model`; it takes less time than a thread would take to begin."""
        await self._loaded()
        found: Floats = remembered().encode([text])[0]
        return found

    async def close(self) -> None:
        """It holds nothing."""

    async def _loaded(self) -> StaticModel:
        if self._model is None:
            self._model = await asyncio.to_thread(builtin)
        return self._model
