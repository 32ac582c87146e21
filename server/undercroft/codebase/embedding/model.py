"""What every model can do, wherever it runs, and what its vectors are known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from undercroft.codebase.embedding.faults import ModelFault
from undercroft.codebase.embedding.prefixes import prefixes_of
from undercroft.offers import MOST_DIMENSIONS, EmbeddingOffer

Floats = npt.NDArray[np.float32]

DOCUMENT_RULES = 1
"""Raise it when `document_text` changes: what is sent of a chunk."""


class Model(Protocol):
    """Texts → vectors of unit length (or zero), one row for each text."""

    @property
    def name(self) -> str:
        """What projects call it."""

    @property
    def batch(self) -> int:
        """Texts that it likes to have at once."""

    @property
    def concurrency(self) -> int:
        """Calls that it takes at once."""

    @property
    def here(self) -> bool:
        """Whether processes that read files embed with it as they go, because it costs nothing."""

    def identity(self) -> Awaitable[str]:
        """Changes whenever any text could get another vector; stored beside the vectors."""

    def dimension(self) -> Awaitable[int]:
        """Numbers in a vector.

        Raises:
            ModelFault: It has to be asked and does not answer, or has more than can be stored.

        """

    def documents(self, texts: Sequence[str]) -> Awaitable[Floats]:
        """Vectors of code; raises ModelFault."""

    def query(self, text: str) -> Awaitable[Floats]:
        """The vector of a question; raises ModelFault soon rather than late."""

    def close(self) -> Awaitable[None]:
        """Give back what it holds."""


def identity_of(offer: EmbeddingOffer, *further: str) -> str:
    """Name and digest of all that a vector depends on and that can be known from here."""
    told = (
        *(DOCUMENT_RULES, offer.label, offer.url, offer.revision),
        *(offer.dimension, offer.shorten, offer.longest, *prefixes_of(offer), *further),
    )
    digest = hashlib.blake2b(json.dumps(told).encode(), digest_size=8).hexdigest()
    return f"{offer.label}/{digest}"


def checked_dimension(offer: EmbeddingOffer, found: int, expected: int = 0) -> int:
    """The dimension that was found.

    Raises:
        ModelFault: It is not the expected one, or cannot be stored.

    """
    wanted = offer.dimension or expected
    if found > MOST_DIMENSIONS:
        raise ModelFault(
            f"The embedding model {offer.name} makes vectors of {found} numbers; "
            f"at most {MOST_DIMENSIONS} can be stored.",
            hint="Offer another one; or, if it can make shorter vectors, set `dimension` and "
            "`shorten`.",
        )
    if wanted and found != wanted:
        raise ModelFault(
            f"The embedding model {offer.name} makes vectors of {found} numbers, "
            f"where {wanted} are expected.",
            hint="Correct its `dimension`, or change its `revision` if it is another model now.",
        )
    return found


def unit(vectors: npt.NDArray[np.float64]) -> Floats:
    """Each row at length one; a row of zeros stays."""
    # First to a size whose squares are numbers, whatever was sent.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=largest > 0)
    lengths = np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1)
    return np.asarray(scaled / lengths, np.float32)
