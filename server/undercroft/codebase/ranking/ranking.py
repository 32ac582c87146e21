"""From candidates to a ranked list."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple, TypeAlias

from undercroft.codebase.ranking.matching import Matcher, name_words
from undercroft.codebase.ranking.models import Candidate, Ranked
from undercroft.codebase.ranking.query import Query, flat
from undercroft.codebase.ranking.standing import outdated, standing, wanted

MEANING = 1.0
"""What likeness in meaning weighs; likeness in words weighs 1, both relative to the best."""
DEFINITION = 0.5
"""What it weighs that a chunk defines what the query names."""
SYMBOL = 0.5
"""What it weighs that the query says the words of a symbol."""
NAME = 0.8
"""What it weighs that the query says the words of a file's name, and they are what it asks."""
FURTHER = 0.5
"""What the second-best chunk adds to its file, the third the square of it, and so on."""
DEEPEST = 6
"""Chunks that count for their file."""
REPEATED = 0.2
"""What is left of a chunk's score for each better one of its file."""
ASIDE = 0.3
"""What is left of a file about the thing: a test, an example, a document."""
VARIANT = 0.6
"""What is left of a file that is the thing once more."""

OTHER_CASE = 0.6
"""What a definition counts whose case or separators differ from those of the query."""
COMPOUND = (1.0, 0.5)
"""What a name counts, at least, that is neighbours of the query in one word."""
TELLING = 0.2
"""A part from this size on is a reason."""

Parts: TypeAlias = dict[str, float]
Own: TypeAlias = tuple[float, Candidate, Parts]
"""A candidate, its own parts and their sum."""


class _File(NamedTuple):
    path: str
    chunks: Sequence[Own]
    """Best first."""
    name: float
    others: float
    """What all chunks but the best add."""
    factors: Mapping[str, tuple[float, str]]


def rank(
    query: Query, candidates: Sequence[Candidate], *, limit: int, idf: Mapping[str, float]
) -> list[Ranked]:
    """The best candidates, each chunk once; `idf`: how much each term of the query tells."""
    matcher = Matcher(query, idf)
    files = _by_file(query, candidates, matcher)
    old = outdated({path for _, path in files})
    scored = [
        (score, place, file)
        for (_, path), chunks in files.items()
        for file in [_file(query, path, chunks, matcher, old)]
        for place, score in enumerate(_scores(file))
    ]
    scored.sort(key=lambda one: (-one[0], one[2].path, one[1]))
    ranked: dict[int, Ranked] = {}
    for score, place, file in scored:
        if len(ranked) == limit:
            break
        chunk = file.chunks[place][1].chunk
        if chunk not in ranked:
            ranked[chunk] = _explained(query, file, place, score)
    return list(ranked.values())


def _by_file(
    query: Query, candidates: Sequence[Candidate], matcher: Matcher
) -> dict[tuple[str, str], list[Own]]:
    """The candidates of each file, best first."""
    words = max((one.lexical for one in candidates), default=0.0) or 1.0
    meaning = max((one.dense for one in candidates), default=0.0)
    files: dict[tuple[str, str], list[Own]] = defaultdict(list)
    for one in candidates:
        definition, symbol = _symbols(query, one.symbol, matcher)
        parts = {
            "words": one.lexical / words,
            "meaning": MEANING * max(one.dense, 0.0) / meaning if meaning > 0 else 0.0,
            "definition": DEFINITION * definition,
            "symbol": SYMBOL * symbol,
        }
        files[one.repository, one.path].append((sum(parts.values()), one, parts))
    for chunks in files.values():
        chunks.sort(key=lambda chunk: (-chunk[0], chunk[1].chunk))
    return files


def _symbols(query: Query, symbols: str, matcher: Matcher) -> tuple[float, float]:
    """Whether a chunk defines what the query names, and how well they share their words."""
    definition = symbol = 0.0
    for name in symbols.split():
        whole = flat(name)
        if whole in query.named:
            definition = max(definition, 1.0 if name in query.identifiers else OTHER_CASE)
        said, asked = matcher(name_words(name))
        symbol = max(symbol, asked if whole in query.compounds else said * asked)
    return definition, symbol


def _file(
    query: Query,
    path: str,
    chunks: Sequence[Own],
    matcher: Matcher,
    old: Mapping[str, str],
) -> _File:
    others = (own * FURTHER**place for place, (own, *_) in enumerate(chunks[:DEEPEST]) if place)
    return _File(
        path=path,
        chunks=chunks,
        name=NAME * _name(query, path, matcher),
        others=sum(others),
        factors=_factors(query, path, old),
    )


def _name(query: Query, path: str, matcher: Matcher) -> float:
    """How well a file's name and the query share their words, 0 to 2."""
    name = standing(path)
    said, asked = matcher(name.words)
    if name.flat in query.compounds:
        return max(said, COMPOUND[0]) + max(asked, COMPOUND[1])
    return said + asked


def _factors(query: Query, path: str, old: Mapping[str, str]) -> dict[str, tuple[float, str]]:
    """What puts a file back, and the word of its path that says so."""
    name, factors = standing(path), {}
    if name.aside and not wanted(name.aside, query.spoken):
        factors["aside"] = (ASIDE, name.aside)
    variants = [one for one in (name.variant, old.get(path, "")) if one]
    said = [one for one in variants if not wanted(one, query.spoken)]
    if said:
        factors["variant"] = (VARIANT ** len(said), ", ".join(said))
    return factors


def _scores(file: _File) -> Iterator[float]:
    factor = prod(value for value, _ in file.factors.values())
    for place, (own, *_) in enumerate(file.chunks):
        yield (own + file.name + file.others) * factor * REPEATED**place


def _explained(query: Query, file: _File, place: int, score: float) -> Ranked:
    _, candidate, parts = file.chunks[place]
    parts = parts | {"name": file.name, "file": file.others}
    repeated = {"repeated": REPEATED**place} if place else {}
    return Ranked(
        candidate=candidate,
        score=score,
        parts=parts,
        factors={kind: value for kind, (value, _) in file.factors.items()} | repeated,
        reasons=_reasons(query, file, candidate, parts),
    )


def _reasons(query: Query, file: _File, candidate: Candidate, parts: Parts) -> list[str]:
    """What counted, in words, the most first; then what put it back."""
    said = {
        "words": "shares its words",
        "meaning": "alike in meaning",
        "definition": f"defines {', '.join(query.identifiers)}",
        "symbol": f"named like it: {candidate.symbol}",
        "name": f"its file is called {file.path.rpartition('/')[2]}",
        "file": "more in the same file",
    }
    telling = [kind for kind in said if parts[kind] >= TELLING]
    telling.sort(key=lambda kind: -parts[kind])
    back = [f"put back: {kind} ({word})" for kind, (_, word) in file.factors.items()]
    return [said[kind] for kind in telling] + back
