"""How much of what is nearest a search in the graph finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.code_room import SQL

if TYPE_CHECKING:
    import asyncpg

FIRST = 10


async def recall_of(
    connection: asyncpg.Connection, statement: str, vectors: Sequence[str]
) -> list[float]:
    """Of each vector, the share of its ten nearest that the product's statement finds.

    A vector as near as the tenth counts as one of them, whichever it is: copies lie equally near.
    """
    shares = []
    for vector in vectors:
        exact = await connection.fetch(SQL.find_exactly.text, vector, FIRST, timeout=600)
        found = await connection.fetch(statement, vector)
        least = exact[-1]["similarity"] - 1e-6
        near = sum(row["similarity"] >= least for row in found[:FIRST])
        shares.append(near / FIRST)
    return shares
