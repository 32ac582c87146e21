"""What is ranked, and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Candidate(NamedTuple):
    """A chunk where it stands; the same chunk may stand in several files."""

    chunk: int
    repository: str
    path: str
    kind: str
    symbol: str
    """The names that it defines, with spaces between them."""
    lexical: float
    """BM25, at least 0."""
    dense: float
    """Cosine with the query; 0 without vectors."""
    scope: str = ""
    """What encloses it, outermost first, divided by dots."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranked:
    """A candidate with its score: the sum of its parts, times its factors."""

    candidate: Candidate
    score: float
    parts: Mapping[str, float]
    """What adds up: words, meaning, definition, symbol, name, path, file."""
    factors: Mapping[str, float]
    """What puts it back: aside, variant, repeated; those of 1 are left out."""
    reasons: Sequence[str]
