"""How much of what is nearest a search in the graph finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.code_room import SQL
from benchmarks.figures import Figure, Judgement, ours_alone
from benchmarks.questions import QUESTIONS
from undercroft.codebase.candidates import DEPTH
from undercroft.codebase.embedding import builtin
from undercroft.codebase.indexing.vectors import nearest

if TYPE_CHECKING:
    import asyncpg

FIRST = 10


async def recall(connection: asyncpg.Connection, name: str, where: str) -> Figure:
    """Of every question, the share of its ten nearest vectors that the product's statement finds.

    A vector as near as the tenth counts as one of them, whichever it is: copies lie equally near.
    """
    statement = await statement_of(connection)
    shares = []
    for question in QUESTIONS:
        vector = vector_of(question)
        exact = await connection.fetch(SQL.find_exactly.text, vector, FIRST, timeout=600)
        found = await connection.fetch(statement, vector)
        least = exact[-1]["similarity"] - 1e-6
        near = sum(row["similarity"] >= least for row in found[:FIRST])
        shares.append(near / FIRST)
    return _judgement(name, where).figure({"ours": [[share] for share in shares]})


async def statement_of(connection: asyncpg.Connection) -> str:
    """What the product asks for the nearest vectors."""
    number, dimension, indexed_to = await connection.fetchrow(SQL.get_model.text)
    return nearest(number, dimension, indexed_to, DEPTH)


def vector_of(question: str) -> str:
    """As the statements take it."""
    return f"[{','.join(map(str, builtin().encode([question])[0].tolist()))}]"


def _judgement(name: str, where: str) -> Judgement:
    return Judgement(
        name=name,
        meaning=f"share of the ten nearest vectors of a question that the statement finds among "
        f"{where}, mean of {len(QUESTIONS)} questions",
        unit="",
        value_unit="",
        target=0.98,
        of=ours_alone,
        summary=_mean,
        at_least=True,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
