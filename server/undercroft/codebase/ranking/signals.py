"""What can be seen of the candidates before anything is weighed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from undercroft.codebase.embedding import remembered
from undercroft.codebase.ranking.matching import Matcher, Met, Named, named, together
from undercroft.codebase.ranking.models import Candidate
from undercroft.codebase.ranking.query import Query
from undercroft.codebase.ranking.standing import Standing, outdated, standing, wanted

OTHER_CASE = 0.6
"""What a definition counts whose case or separators differ from those of the query."""
COMPOUND = (1.0, 0.5)
"""What a name counts, at least, that is neighbours of the query in one word."""
ALIKE = 0.3
"""A cosine that says something; where no path reaches it, none counts in full."""

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

NOTHING = (0.0, 0.0, 0.0)

OWN = ("words", "meaning", "definition", "symbol", "member")
"""What speaks for a candidate, each 0 to 1: the columns of `Seen.own`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """The candidates of a query and their files, in columns."""

    query: Query
    candidates: Sequence[Candidate]
    own: Floats
    """A row for each candidate, a column for each of `OWN`."""
    files: Numbers
    """Which of the files below each candidate stands in."""
    paths: Sequence[str]
    by_path: Numbers
    """The place of each file in the order of their paths."""
    name: Floats
    """How well a file's name and the query share their words: 0 to 2."""
    alike: Floats
    """How alike in meaning a path and the query are, relative to the best: 0 to 1."""
    aside: Sequence[str]
    """The word that says that a file is about the thing, unless the query says it too; or empty."""
    variant: Sequence[Sequence[str]]
    """The words that say that it is the thing once more, without those that the query says."""


class Observer:
    """Looks at candidates as they come, while others are still on their way."""

    def __init__(self, query: Query, idf: Mapping[str, float]) -> None:
        """Take the query, and how much each of its terms tells."""
        self._query = query
        self._matcher = Matcher(query, idf)
        self._candidates: list[Candidate] = []
        self._symbols: list[tuple[float, float, float]] = []
        self._files: list[int] = []
        self._places: dict[tuple[str, str], int] = {}
        self._standings: list[Standing] = []
        self._names: list[float] = []

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Look at these."""
        self._candidates += candidates
        names = [named(one.symbol, one.scope) for one in candidates]
        self._symbols += [_symbols(self._query, one, self._matcher) for one in names]
        for one in candidates:
            key = one.path, one.repository
            if (place := self._places.get(key)) is None:
                place = self._places[key] = len(self._places)
                self._standings.append(found := standing(one.path))
                self._names.append(_name(self._query, self._matcher[found.name]))
            self._files.append(place)

    def seen(self) -> Seen:
        """All that was added."""
        paths = [path for path, _ in self._places]
        old = outdated(paths)
        by_path = np.empty(len(paths), np.int64)
        by_path[[self._places[key] for key in sorted(self._places)]] = range(len(paths))
        return Seen(
            query=self._query,
            candidates=self._candidates,
            own=self._own(),
            files=np.array(self._files, np.int64),
            paths=paths,
            by_path=by_path,
            name=np.array(self._names),
            alike=_alike(self._query, self._standings),
            aside=["".join(_unsaid(self._query, one.aside)) for one in self._standings],
            variant=[
                _unsaid(self._query, one.variant, old.get(path, ""))
                for one, path in zip(self._standings, paths, strict=True)
            ],
        )

    def _own(self) -> Floats:
        own = np.empty((len(self._candidates), len(OWN)))
        own[:, 0] = _relative([one.lexical for one in self._candidates])
        own[:, 1] = _relative([one.dense for one in self._candidates])
        own[:, 2:] = np.reshape(self._symbols, (-1, 3))
        return own


def observe(query: Query, candidates: Sequence[Candidate], idf: Mapping[str, float]) -> Seen:
    """What there is to be seen of these; `idf`: how much each term of the query tells."""
    observer = Observer(query, idf)
    observer.add(candidates)
    return observer.seen()


def _relative(values: Sequence[float]) -> Floats:
    """To the greatest; nothing is less than 0."""
    found = np.maximum(values, 0.0)
    return found / (found.max(initial=0.0) or 1.0)


def _symbols(query: Query, one: Named, matcher: Matcher) -> tuple[float, float, float]:
    """Whether a chunk defines what the query names, and how well they share their words.

    The third is for the name with that of what encloses it: "save the cookie jar" is
    `CookieJar.save`. There the query's share counts more: long names say more than is asked.
    """
    definition = symbol = member = 0.0
    if not query.named.isdisjoint(one.flats):
        definition = OTHER_CASE if query.identifiers.isdisjoint(one.names) else 1.0
    elif matcher.strange(one.heads):
        return NOTHING
    outer = matcher[one.outer] if one.outer else None
    for name in one.names:
        met = matcher[name]
        flat, words, said, _, asked = met
        if asked:
            alone = asked if flat in query.compounds else said / words * asked
            symbol = max(symbol, alone)
        if outer and (asked or outer.asked):
            said, asked = together(outer, met)
            member = max(member, asked * said**0.5)
    return definition, symbol, max(member, symbol)


def _name(query: Query, met: Met) -> float:
    said = met.said / (met.words or 1)
    if met.flat in query.compounds:
        return max(said, COMPOUND[0]) + max(met.asked, COMPOUND[1])
    return said + met.asked


def _alike(query: Query, standings: Sequence[Standing]) -> Floats:
    """By the built-in model, whichever one the index has: it costs some microseconds a path."""
    if not standings:
        return np.zeros(0)
    found = remembered().encode([query.text, *(one.near for one in standings)])
    cosines = np.maximum(found[1:] @ found[0], 0.0)
    relative: Floats = cosines / max(cosines.max(), ALIKE)
    return relative


def _unsaid(query: Query, *words: str) -> Sequence[str]:
    """Those that the query does not say."""
    if not any(words):
        return ()
    return [word for word in words if word and not wanted(word, query.spoken)]
