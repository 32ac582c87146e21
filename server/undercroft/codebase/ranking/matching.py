"""How well the words of a query meet the words of a name."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from undercroft.codebase.ranking.query import Query
from undercroft.codebase.words import TOKEN, parts, stem

DERIVED = 0.8
"""What a word counts that a suffix makes of the other: route ↔ router."""
ABBREVIATED = 0.7
"""What the beginning of a query's word counts in a name: documentation ↔ doc."""
CONTINUED = 0.4
"""What a name's word counts that only begins with the query's: form ↔ format."""
RELATED = 0.6
"""What a word counts that begins as the other does: validator ↔ validation."""
INITIALS = 0.8
"""What a short word counts that is made of the first letters: ws ↔ WebSocket."""
LONGEST_INITIALS = 4
SHORTEST = 3
"""Letters that a shortened word has at least."""
COMMON = 4
"""Letters that related words share at least."""
SUFFIXES = frozenset(
    [
        *("", "er", "or", "ion", "ation", "at", "ator", "abl", "ibl", "iv", "ativ", "ment", "ant"),
        *(
            "ent",
            "anc",
            "enc",
            "y",
            "ity",
            "ic",
            "al",
            "iz",
            "izer",
            "ization",
            "ist",
            "ism",
            "nes",
        ),
        *("cy", "t", "c", "ency", "ancy", "ly", "ful", "ur", "ar", "ary", "ory", "tion", "tor"),
    ]
)
"""What makes one word of another, as far as stemming leaves it."""


@lru_cache(maxsize=1 << 16)
def meets(asked: str, word: str) -> float:
    """How much a stemmed word of a query says of a stemmed word of a name: 0 to 1."""
    if asked == word:
        return 1.0
    short, long = (asked, word) if len(asked) < len(word) else (word, asked)
    if len(short) < SHORTEST:
        return 0.0
    if long.startswith(short):
        if len(short) > SHORTEST and long[len(short) :] in SUFFIXES:
            return DERIVED
        return ABBREVIATED if short == word else CONTINUED
    shared = 0
    for one, other in zip(short, long, strict=False):
        if one != other:
            break
        shared += 1
    if shared < COMMON:
        return 0.0
    return RELATED if {short[shared:], long[shared:]} <= SUFFIXES else 0.0


class Spelled(NamedTuple):
    """A name as it is compared."""

    flat: str
    """Without its case and separators: ClientSession, client_session → clientsession."""
    words: tuple[tuple[str, str], ...]
    """Stemmed, each with how it begins: words that begin otherwise have nothing in common."""
    heads: frozenset[str]
    """How any of them begins."""


@lru_cache(maxsize=1 << 15)
def spelled(name: str) -> Spelled:
    """How a name is compared; the same ones come back with every query."""
    found = [part for token in TOKEN.findall(name) for part in parts(token)]
    words = [(word, word[:SHORTEST]) for word in map(stem, found)]
    return Spelled("".join(found), tuple(words), frozenset([head for _, head in words]))


class Named(NamedTuple):
    """What a chunk defines, and what encloses it."""

    outer: str
    """The innermost of it; or empty."""
    names: tuple[str, ...]
    flats: frozenset[str]
    """Those of the names."""
    heads: frozenset[str]
    """Those of all."""


@lru_cache(maxsize=1 << 15)
def named(symbol: str, scope: str) -> Named:
    """The names of a chunk."""
    outer, names = scope.rpartition(".")[2], tuple(symbol.split())
    inside = [spelled(name) for name in names]
    heads = spelled(outer).heads.union(*(one.heads for one in inside)) if names else frozenset()
    return Named(outer, names, frozenset(one.flat for one in inside), heads)


class Met(NamedTuple):
    """A name beside a query."""

    flat: str
    words: int
    """Words of the name."""
    said: float
    """How many of them the query says."""
    each: tuple[float, ...]
    """The share of the query that the name says with each of the query's words."""
    asked: float
    """All of it: 0 to 1."""


class Matcher(dict[str, Met]):
    """What each name has in common with one query: compared when it is first asked for."""

    def __init__(self, query: Query, idf: Mapping[str, float]) -> None:
        """Take the query, and how much each of its terms tells."""
        self._words = _Words(query, idf)

    def __missing__(self, name: str) -> Met:
        """Compare."""
        self[name] = met = self._compared(spelled(name))
        return met

    def strange(self, heads: frozenset[str]) -> bool:
        """Whether names that begin so have nothing in common with the query."""
        return self._words.heads.isdisjoint(heads)

    def _compared(self, name: Spelled) -> Met:
        flat, words, heads = name
        if self.strange(heads):
            return Met(flat, len(words), 0.0, (), 0.0)
        counts = self._words
        said = asked = 0.0
        each: tuple[float, ...] = ()
        for word, head in words:
            if head not in counts.heads:
                continue
            most, shares, share = counts[word]
            if most:
                said += most
                # Most names meet the query with one word.
                each, asked = _merged(each, shares) if each else (shares, share)
        return Met(flat, len(words), said, each, asked)


class _Words(dict[str, tuple[float, tuple[float, ...], float]]):
    """What a stemmed word of a name counts for one query; and the shares of the query it says."""

    def __init__(self, query: Query, idf: Mapping[str, float]) -> None:
        most = max(idf.values(), default=1.0)
        telling = {word: weight * idf.get(word, most) for word, weight in query.words.items()}
        total = sum(telling.values())
        self._initials = query.initials
        self._share = {word: value / total for word, value in telling.items()} if total else {}
        self._starting: dict[str, list[tuple[str, float]]] = {}
        for word in self._share:
            self._starting.setdefault(word[:SHORTEST], []).append((word, query.words[word]))
        self.heads = frozenset([*self._starting, *(word[:SHORTEST] for word in query.initials)])

    def __missing__(self, word: str) -> tuple[float, tuple[float, ...], float]:
        most, each = 0.0, {}
        for asked, weight in self._starting.get(word[:SHORTEST], ()):
            if strength := meets(asked, word):
                most = max(most, strength * weight)
                each[asked] = strength * self._share[asked]
        if not each and len(word) <= LONGEST_INITIALS and word in self._initials:
            most = INITIALS
            each = {one: INITIALS * self._share[one] for one in self._initials[word]}
        shares = tuple(each.get(one, 0.0) for one in self._share) if each else ()
        self[word] = found = most, shares, sum(shares)
        return found


def _merged(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[tuple[float, ...], float]:
    each = tuple(map(max, one, other))
    return each, sum(each)


def together(outer: Met, name: Met) -> tuple[float, float]:
    """Of two names as one: the share that the query says, and what they say of the query."""
    both = outer.asked and name.asked
    asked = _merged(outer.each, name.each)[1] if both else outer.asked or name.asked
    return (outer.said + name.said) / (outer.words + name.words or 1), asked
