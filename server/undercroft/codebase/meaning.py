"""A question as a vector: made by the model whose vectors answer, whichever is wanted by now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercroft.codebase.embedding.faults import ModelFault

if TYPE_CHECKING:
    from undercroft.codebase.choice import Models
    from undercroft.codebase.embedding.model import Floats

WORDS_ALONE = "Searched by words alone:"

NEARLY_ALL = 0.95
"""The share of the code from which on nobody has to be told that the rest has no vectors yet."""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """The model whose vectors answer."""

    id: int
    identity: str
    dimension: int
    filled_to: int
    """Up to which chunk all have a vector of it."""
    last_chunk: int


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The query as a vector; `model` 0: by words alone. `note`: what the reader should know."""

    model: int = 0
    vector: str = "[0]"
    note: str = ""


async def meaning_of(models: Models, text: str, answering: Answering | None) -> Meaning:
    """What the vectors of the index can be compared with."""
    if answering is None:
        return Meaning(note=f"{WORDS_ALONE} the vectors are not there yet.")
    model = await models.that_made(answering.identity)
    if model is None:
        return Meaning(
            note=f"{WORDS_ALONE} the stored vectors are of a model that this server does not offer."
        )
    try:
        vector = await model.query(text)
    except ModelFault as fault:
        return Meaning(note=f"{WORDS_ALONE} {fault.message}")
    if len(vector) != answering.dimension:
        return Meaning(note=f"{WORDS_ALONE} the model makes other vectors than those stored.")
    note = "" if model.here else _progress(answering)
    return Meaning(model=answering.id, vector=as_text(vector), note=note)


def as_text(vector: Floats) -> str:
    """As pgvector reads it."""
    return f"[{','.join(f'{value:.5f}' for value in vector.tolist())}]"


def _progress(answering: Answering) -> str:
    filled, last = answering.filled_to, answering.last_chunk
    if filled >= NEARLY_ALL * last:
        return ""
    return (
        f"So far {filled * 100 // last} % of the code can be found by meaning, all of it by words."
    )
