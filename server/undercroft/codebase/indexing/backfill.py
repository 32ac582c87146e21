"""Chunks that have no vector of a model yet get one, in the order of their numbers.

Chunks are stored without waiting for a model that may be slow or away: words find them at once, and
their vectors follow from here. How far that is stands in the database, in the transaction that
stores the vectors, so whoever goes on after a crash leaves nothing out and does nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from undercroft.codebase.embedding import document_text
from undercroft.codebase.embedding.faults import ModelFault
from undercroft.codebase.indexing import binary
from undercroft.codebase.indexing.sql import SQL, VECTORS
from undercroft.codebase.indexing.store import COLUMNS

if TYPE_CHECKING:
    from undercroft.codebase.embedding.model import Floats, Model
    from undercroft.codebase.indexing.turn import Turn


class Chunk(NamedTuple):
    """What of a row goes to the model."""

    id: int
    symbol: str
    scope: str
    text: str


@dataclass(frozen=True, kw_only=True)
class _Order:
    """Chunks whose vectors are under way."""

    chunks: Sequence[Chunk]
    vectors: asyncio.Task[Floats]


@dataclass(kw_only=True)
class Backfill:
    """Fills one model's vectors up to a chunk."""

    turn: Turn
    model: Model
    number: int
    dimension: int
    begun: int
    """All chunks up to here have been read."""
    last: int
    _orders: deque[_Order] = field(default_factory=deque)

    async def do(self) -> None:
        """Make what is missing.

        Raises:
            ModelFault: The model cannot be used now; what was made before is stored.
            TurnLost: Somebody else goes on with it.

        """
        try:
            while await self._order_more() or self._orders:
                await self._store(self._orders.popleft())
            async with self.turn.writing() as bound:
                await bound.execute(VECTORS.set_filled, self.number, self.last)
        finally:
            for order in self._orders:
                order.vectors.cancel()
            await asyncio.gather(*(one.vectors for one in self._orders), return_exceptions=True)

    async def _order_more(self) -> bool:
        """Keep as many requests under way as the model takes; whether any was begun."""
        before = len(self._orders)
        while len(self._orders) < self.model.concurrency and self.begun < self.last:
            rows = await self.turn.db.fetch(
                VECTORS.read_unembedded, self.number, self.begun, self.last, self.model.batch
            )
            if not rows:
                self.begun = self.last
                break
            self._orders.append(self._order([Chunk(**row) for row in rows]))
            self.begun = rows[-1]["id"]
        return len(self._orders) > before

    def _order(self, chunks: Sequence[Chunk]) -> _Order:
        texts = [document_text(chunk) for chunk in chunks]

        async def made() -> Floats:
            return await self.model.documents(texts)

        return _Order(chunks=chunks, vectors=asyncio.get_running_loop().create_task(made()))

    async def _store(self, order: _Order) -> None:
        """All vectors of an order or none; of a chunk that was removed meanwhile, none."""
        vectors = await order.vectors
        if vectors.shape != (len(order.chunks), self.dimension):
            raise ModelFault(
                f"The embedding model {self.model.name} makes vectors of {vectors.shape[1]} "
                f"numbers now, where it made {self.dimension} before.",
                hint="Change its `revision`, then all is embedded anew.",
            )
        ids = [chunk.id for chunk in order.chunks]
        async with self.turn.writing() as bound:
            # From here on nobody removes a chunk.
            await bound.fetch_value(SQL.hold_numbers)
            alive = {row["id"] for row in await bound.fetch(VECTORS.find_alive, ids)}
            kept = [place for place, chunk in enumerate(ids) if chunk in alive]
            if kept:
                await bound.copy("codebase.embeddings", COLUMNS["embeddings"], self._rows(
                    [ids[place] for place in kept], vectors[kept]))  # fmt: skip
            await bound.execute(VECTORS.set_filled, self.number, ids[-1])

    def _rows(self, ids: Sequence[int], vectors: Any) -> bytes | bytearray:
        return binary.shifted(binary.vectors(np.array(ids, np.int64), self.number, vectors))
