"""A question as a vector: made by the model whose vectors answer, whichever is wanted by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from undercroft.codebase.embedding.faults import ModelFault
from undercroft.db.queries import load_queries

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.codebase.embedding.model import Floats
    from undercroft.db.database import Database

SQL = load_queries(__package__, "vectors.sql")

WORDS_ALONE = "Searched by words alone:"

NEARLY_ALL = 0.95
"""The share of the code from which on nobody has to be told that the rest has no vectors yet."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The query as a vector; `model` 0: by words alone. `note`: what the reader should know."""

    model: int = 0
    dimension: int = 1
    indexed_to: int = 0
    """Up to which chunk a graph holds the vectors."""
    vector: str = "[0]"
    note: str = ""


async def meaning_of(db: Database, models: Models, text: str) -> Meaning:
    """What the vectors of the index can be compared with."""
    answering = await db.fetch_row(SQL.get_answering)
    if answering is None:
        return Meaning(note=f"{WORDS_ALONE} the vectors are not there yet.")
    model = await models.that_made(answering["identity"])
    if model is None:
        return Meaning(
            note=f"{WORDS_ALONE} the stored vectors are of a model that this server does not offer."
        )
    try:
        vector = await model.query(text)
    except ModelFault as fault:
        return Meaning(note=f"{WORDS_ALONE} {fault.message}")
    if len(vector) != answering["dimension"]:
        return Meaning(note=f"{WORDS_ALONE} the model makes other vectors than those stored.")
    return Meaning(
        model=answering["id"],
        dimension=answering["dimension"],
        indexed_to=answering["indexed_to"],
        vector=as_text(vector),
        note="" if model.here else _progress(answering),
    )


def as_text(vector: Floats) -> str:
    """As pgvector reads it."""
    return f"[{','.join(f'{value:.5f}' for value in vector.tolist())}]"


def _progress(answering: Mapping[str, Any]) -> str:
    filled, last = answering["filled_to"], answering["last_chunk"]
    if filled >= NEARLY_ALL * last:
        return ""
    return (
        f"So far {filled * 100 // last} % of the code can be found by meaning, all of it by words."
    )
