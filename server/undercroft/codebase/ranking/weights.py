"""What each part of the ranking weighs.

Chosen by `scripts/bench search-quality`, which also says how far they move when a repository is
left out: all are round, and lie where the score changes little around them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The ranking's parameters; the built-in ones by default."""

    words: float = 1.0
    """Likeness in words, relative to the best; everything else is measured by it."""
    meaning: float = 1.0
    """Likeness in meaning, relative to the best."""
    definition: float = 0.5
    """That a chunk defines what the query names."""
    symbol: float = 0.5
    """That the query says the words of a symbol."""
    member: float = 0.75
    """That the query says the words of a symbol together with what encloses it."""
    name: float = 0.8
    """That the query says the words of a file's name, and they are what it asks."""
    path: float = 0.3
    """That a file's path is alike in meaning, relative to the best."""
    further: float = 0.5
    """What the second-best chunk adds to its file, the third the square of it, and so on."""
    repeated: float = 0.3
    """What is left of a chunk's score for each better one of its file."""
    aside: float = 0.3
    """What is left of a file about the thing: a test, an example, a document."""
    variant: float = 0.6
    """What is left of a file that is the thing once more."""


WEIGHTS = Weights()
