"""The model that comes along, as one among others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from undercroft.codebase.embedding import builtin
from undercroft.codebase.embedding.model import Floats
from undercroft.offers import BUILTIN


class BuiltIn:
    """Runs in this process, at 20,000 chunks a second."""

    name = BUILTIN
    batch = 1_024
    concurrency = 1
    here = True

    async def identity(self) -> str:
        """See `Model`."""
        return (await asyncio.to_thread(builtin)).identity

    async def dimension(self) -> int:
        """See `Model`."""
        return (await asyncio.to_thread(builtin)).dimension

    async def documents(self, texts: Sequence[str]) -> Floats:
        """See `Model`."""
        return await asyncio.to_thread(lambda: builtin().encode(texts))

    async def query(self, text: str) -> Floats:
        """See `Model`; half a millisecond, which no thread has to take over."""
        model = await asyncio.to_thread(builtin)
        found: Floats = np.asarray(model.encode([text])[0])
        return found

    async def close(self) -> None:
        """It holds nothing."""
