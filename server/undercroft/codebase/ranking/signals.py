"""What can be seen of the candidates before anything is weighed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from undercroft.codebase.embedding import builtin
from undercroft.codebase.ranking.matching import Matcher, spelled
from undercroft.codebase.ranking.models import Candidate
from undercroft.codebase.ranking.query import Query
from undercroft.codebase.ranking.standing import outdated, standing, wanted

OTHER_CASE = 0.6
"""What a definition counts whose case or separators differ from those of the query."""
COMPOUND = (1.0, 0.5)
"""What a name counts, at least, that is neighbours of the query in one word."""
NEAR = 3
"""Parts of a path, from its end, that tell what its file is about; those before are the project."""

ALIKE = 0.3
"""A cosine that says something; where no path reaches it, none counts in full."""


class Seen(NamedTuple):
    """A candidate and what speaks for it, each 0 to 1."""

    candidate: Candidate
    words: float
    meaning: float
    definition: float
    symbol: float
    member: float


class SeenFile(NamedTuple):
    """A file, its candidates and what its path says."""

    path: str
    chunks: Sequence[Seen]
    name: float
    """How well its name and the query share their words: 0 to 2."""
    alike: float
    """How alike in meaning its path and the query are, relative to the best: 0 to 1."""
    aside: str
    """The word that says that it is about the thing, unless the query says it too; or empty."""
    variant: Sequence[str]
    """The words that say that it is the thing once more, without those that the query says."""


def observe(
    query: Query, candidates: Sequence[Candidate], idf: Mapping[str, float]
) -> list[SeenFile]:
    """The files of the candidates; `idf`: how much each term of the query tells."""
    matcher = Matcher(query, idf)
    files = _by_file(query, candidates, matcher)
    paths = [path for _, path in files]
    old = outdated(set(paths))
    return [
        SeenFile(
            path=path,
            chunks=chunks,
            name=_name(query, path, matcher),
            alike=alike,
            aside="".join(_unsaid(query, standing(path).aside)),
            variant=_unsaid(query, standing(path).variant, old.get(path, "")),
        )
        for path, chunks, alike in zip(paths, files.values(), _alike(query, paths), strict=True)
    ]


def _by_file(
    query: Query, candidates: Sequence[Candidate], matcher: Matcher
) -> dict[tuple[str, str], list[Seen]]:
    words = max((one.lexical for one in candidates), default=0.0) or 1.0
    meaning = max((one.dense for one in candidates), default=0.0)
    files: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for one in candidates:
        dense = max(one.dense, 0.0) / meaning if meaning > 0 else 0.0
        seen = Seen(one, one.lexical / words, dense, *_symbols(query, one, matcher))
        files[one.repository, one.path].append(seen)
    return files


def _symbols(query: Query, one: Candidate, matcher: Matcher) -> tuple[float, float, float]:
    """Whether a chunk defines what the query names, and how well they share their words.

    The third is for the name with that of what encloses it: "save the cookie jar" is
    `CookieJar.save`. There the query's share counts more: long names say more than is asked.
    """
    definition = symbol = member = 0.0
    outer = spelled(one.scope.rpartition(".")[2]).words if one.scope else ()
    for name in one.symbol.split():
        flat, words = spelled(name)
        if flat in query.named:
            definition = max(definition, 1.0 if name in query.identifiers else OTHER_CASE)
        said, asked = matcher(words)
        if asked:
            symbol = max(symbol, asked if flat in query.compounds else said * asked)
        if outer:
            said, asked = matcher.together(outer, words)
            member = max(member, asked * said**0.5)
    return definition, symbol, max(member, symbol)


def _name(query: Query, path: str, matcher: Matcher) -> float:
    name = standing(path).name
    said, asked = matcher(name.words)
    if name.flat in query.compounds:
        return max(said, COMPOUND[0]) + max(asked, COMPOUND[1])
    return said + asked


def _alike(query: Query, paths: Sequence[str]) -> list[float]:
    """By the built-in model, whichever one the index has: it costs some microseconds a path."""
    if not paths:
        return []
    found = np.array([_vector(_near(path)) for path in paths])
    cosines = np.maximum(found @ builtin().encode([query.text])[0], 0.0)
    relative: list[float] = (cosines / max(cosines.max(initial=0.0), ALIKE)).tolist()
    return relative


@lru_cache(maxsize=1 << 13)
def _vector(near: str) -> npt.NDArray[np.float32]:
    """The same paths come again and again; 8 MB at most."""
    vector: npt.NDArray[np.float32] = builtin().encode([near])[0]
    return vector


def _near(path: str) -> str:
    folder, slash, file = path.rpartition("/")
    name = file.rpartition(".")[0] or file
    return "/".join(f"{folder}{slash}{name}".split("/")[-NEAR:])


def _unsaid(query: Query, *words: str) -> list[str]:
    """Those that the query does not say."""
    return [word for word in words if word and not wanted(word, query.spoken)]
