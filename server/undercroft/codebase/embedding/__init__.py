"""Vectors of texts: the built-in model and what it is given of a chunk."""

from functools import lru_cache
from typing import Protocol

from undercroft.codebase.embedding.memory import Remembered
from undercroft.codebase.embedding.static import StaticModel

__all__ = ["StaticModel", "builtin", "document_text", "remembered"]


@lru_cache(maxsize=1)
def builtin() -> StaticModel:
    """The model whose weights lie in this package, loaded once in a process (40 ms)."""
    return StaticModel.load()


@lru_cache(maxsize=1)
def remembered() -> Remembered:
    """The same for texts that come again: a search asks for its query's vector twice."""
    return Remembered(builtin())


class Piece(Protocol):
    """What of a chunk has to do with what it means, wherever it lies."""

    @property
    def symbol(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def text(self) -> str: ...


def document_text(chunk: Piece) -> str:
    """What is embedded of a chunk. No path goes in: equal contents share their vectors."""
    return f"{chunk.scope} {chunk.symbol}\n{chunk.text}"
