"""How well the words of a query meet the words of a name."""

from collections import defaultdict
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
    words: tuple[str, ...]
    """Stemmed."""


@lru_cache(maxsize=1 << 15)
def spelled(name: str) -> Spelled:
    """How a name is compared; the same ones come back with every query."""
    found = [part for token in TOKEN.findall(name) for part in parts(token)]
    return Spelled("".join(found), tuple(map(stem, found)))


class Matcher:
    """Compares names with one query; remembers each word that it saw."""

    def __init__(self, query: Query, idf: Mapping[str, float]) -> None:
        """Take the query, and how much each of its terms tells."""
        most = max(idf.values(), default=1.0)
        self._initials = query.initials
        self._total = 0.0
        self._telling: dict[str, float] = {}
        self._starting: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
        for word, weight in query.words.items():
            telling = weight * idf.get(word, most)
            self._total += telling
            self._starting[word[:SHORTEST]].append((word, weight, telling))
            self._telling[word] = telling
        self._seen: dict[str, tuple[float, list[tuple[str, float]]]] = {}
        self._names: dict[tuple[str, ...], tuple[float, float]] = {}

    def __call__(self, name: tuple[str, ...]) -> tuple[float, float]:
        """The share of the name that the query says, and of the query that the name says."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = self._compared(name)
        return found

    def _compared(self, name: tuple[str, ...]) -> tuple[float, float]:
        said = 0.0
        asked: dict[str, float] = {}
        seen = self._seen
        for word in name:
            most, met = seen.get(word) or self._see(word)
            if not most:
                continue
            said += most
            for one, telling in met:
                asked[one] = max(asked.get(one, 0.0), telling)
        if not asked:
            return 0.0, 0.0
        return said / len(name), sum(asked.values()) / self._total

    def together(self, outer: tuple[str, ...], name: tuple[str, ...]) -> tuple[float, float]:
        """The same for two names as one: most meet nothing, or one of them alone does."""
        (said_outer, asked_outer), (said, asked) = self(outer), self(name)
        if asked_outer and asked:
            return self._compared((*outer, *name))
        count = len(outer) + len(name) or 1
        return (said_outer * len(outer) + said * len(name)) / count, asked_outer or asked

    def _see(self, word: str) -> tuple[float, list[tuple[str, float]]]:
        """What a word counts; words that meet begin alike, so most are done with one look."""
        most, met = 0.0, []
        for asked, weight, telling in self._starting.get(word[:SHORTEST], ()):
            strength = meets(asked, word)
            if strength:
                most = max(most, strength * weight)
                met.append((asked, strength * telling))
        if not met and len(word) <= LONGEST_INITIALS and word in self._initials:
            most = INITIALS
            met = [(one, INITIALS * self._telling[one]) for one in self._initials[word]]
        self._seen[word] = most, met
        return most, met
