"""What a query asks for: its terms, the identifiers it names, the compounds it could mean."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from undercroft.codebase.words import STOP_WORDS, TOKEN, parts, singular, stem, terms

LONGEST = 4
"""Neighbours that may be written as one word: "status code" as statusCode."""
PART = 0.7
"""What a part of an identifier weighs in a name: a WebSocket is neither a web nor a socket."""
SECONDARY = 0.6
"""What a word weighs after the first preposition: "X for Y" asks for X."""
PREPOSITIONS = frozenset(
    [
        *("after", "as", "before", "by", "during", "for", "from", "in", "into", "of"),
        *("on", "through", "to", "using", "via", "when", "with", "without"),
    ]
)
QUALIFIED = re.compile(r"[^\W\d][\w$]*(?:(?:::|\.|#|->)[^\W\d][\w$]*)*")
CODE = re.compile(r"[a-z][A-Z]|[A-Z]{2,}[a-z]|\w_+\w|::|\.|#|->")
"""What prose does not have inside a word."""
SEPARATOR = re.compile(r"::|\.|#|->")


def flat(name: str) -> str:
    """A name without its case and separators: ClientSession, client_session → clientsession."""
    return "".join(part for token in TOKEN.findall(name) for part in parts(token))


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query as the ranking understands it."""

    text: str
    terms: Mapping[str, float]
    """What to look up in the postings, and what each term weighs."""
    words: Mapping[str, float]
    """Its stemmed words, without the wholes that they make up."""
    spoken: frozenset[str]
    """All its words, stemmed and as they stand, in lower case."""
    identifiers: frozenset[str]
    """What it names as code does; a query of one word names it."""
    named: frozenset[str]
    """The same without case and separators."""
    compounds: frozenset[str]
    """Neighbours written as one word."""
    initials: Mapping[str, tuple[str, ...]]
    """The first letters of neighbours, and these, stemmed: server-sent events → sse."""


def read(text: str) -> Query:
    """Understand a query: a name, words, or a sentence."""
    tokens = _telling(text)
    weights: dict[str, float] = {}
    words: dict[str, float] = {}
    for token, weight in tokens:
        for term in terms(token):
            weights[term] = max(weights.get(term, 0.0), weight)
        inside = parts(token)
        for part in inside:
            counts = weight if len(inside) == 1 else weight * PART
            words[stem(part)] = max(words.get(stem(part), 0.0), counts)
    sequence = [part for token, _ in tokens for part in parts(token)]
    identifiers = frozenset(_identifiers(text))
    return Query(
        text=text,
        terms=weights,
        words=words,
        spoken=frozenset([*sequence, *words, *(token.lower() for token in TOKEN.findall(text))]),
        identifiers=identifiers,
        named=frozenset(map(flat, identifiers)),
        compounds=frozenset(_compounds(sequence)),
        initials={
            "".join(word[0] for word in some): tuple(map(stem, some))
            for some in _neighbours(sequence)
        },
    )


def _telling(text: str) -> list[tuple[str, float]]:
    """The tokens that are no stop words, or all if none is left, each with its weight."""
    tokens: list[tuple[str, float]] = []
    weight = 1.0
    for token in TOKEN.findall(text):
        if token.lower() in PREPOSITIONS and tokens:
            weight = SECONDARY
        if token.lower() not in STOP_WORDS:
            tokens.append((token, weight))
    return tokens or [(token, 1.0) for token in TOKEN.findall(text)]


def _compounds(words: list[str]) -> Iterator[str]:
    for some in _neighbours(words):
        *first, last = some
        yield "".join((*first, last))
        yield "".join((*first, singular(last)))


def _neighbours(words: list[str]) -> Iterator[list[str]]:
    for start in range(len(words)):
        for end in range(start + 2, min(len(words), start + LONGEST) + 1):
            yield words[start:end]


def _identifiers(text: str) -> Iterable[str]:
    tokens = text.split()
    for token in tokens:
        found = QUALIFIED.search(token)
        if found and (len(tokens) == 1 or CODE.search(found[0])):
            yield SEPARATOR.split(found[0])[-1]
