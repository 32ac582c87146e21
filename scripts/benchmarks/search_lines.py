"""How often the right lines come first, not just the right file.

Functions of the standard library are asked for by what their documentation says, which is not in
the code that is searched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from statistics import fmean

from benchmarks.documented import Question as Documented
from benchmarks.documented import rank_of, write
from benchmarks.figures import Finding, Judgement, Table, bare, times_bare
from benchmarks.frame import Effort
from benchmarks.ground import scratch_app, scratch_home
from benchmarks.quality.asking import answers
from benchmarks.quality.data import Question, Repository, Target
from benchmarks.quality.replay import FUSED, LEXICAL, Replay
from undercroft.codebase.ranking.weights import WEIGHTS, Weights

QUESTIONS, QUICK_QUESTIONS = 600, 60
LIBRARY = "library"


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """Mean reciprocal rank of the lines, beside BM25 alone over the same chunks."""
    with scratch_home() as folder:
        asked = write(folder, QUICK_QUESTIONS if effort.quick else QUESTIONS)
        effort.tell(f"search-lines: {len(asked)} questions")
        async with scratch_app() as app:
            found = await answers(app, _repository(asked), folder)
    replay = Replay.of({LIBRARY: found})
    ours, words = (_ranks(asked, replay, weights) for weights in (WEIGHTS, LEXICAL))
    yield JUDGEMENT.figure({"ours": _rounds(ours), "bare": _rounds(words)})
    yield Table(
        title="What comes first",
        head=("", "MRR@10", "lines first", "file found", "lines first within their file"),
        rows=[
            _row(name, asked, replay, weights)
            for name, weights in (("ours", WEIGHTS), ("lexical", LEXICAL), ("fused", FUSED))
        ],
    )


def _repository(asked: Sequence[Documented]) -> Repository:
    return Repository(
        name=LIBRARY,
        url="",
        revision="",
        root="",
        questions=[
            Question(
                text=one.text,
                category=LIBRARY,
                targets=[Target(path=one.path, start=one.first, end=one.last)],
            )
            for one in asked
        ],
    )


def _ranks(asked: Sequence[Documented], replay: Replay, weights: Weights) -> list[int]:
    places = replay.ranked(LIBRARY, weights)
    return [rank_of(one, some) for one, some in zip(asked, places, strict=True)]


def _reciprocal(ranks: Sequence[int]) -> list[float]:
    return [1 / rank if rank else 0.0 for rank in ranks]


def _row(
    name: str, asked: Sequence[Documented], replay: Replay, weights: Weights
) -> tuple[str, ...]:
    ranks = _ranks(asked, replay, weights)
    own = [
        [place for place in places if place.path == one.path]
        for one, places in zip(asked, replay.ranked(LIBRARY, weights), strict=True)
    ]
    within = [rank_of(one, places) == 1 for one, places in zip(asked, own, strict=True) if places]
    return (
        name,
        f"{fmean(_reciprocal(ranks)):.3f}",
        f"{fmean(rank == 1 for rank in ranks):.1%}",
        f"{fmean(map(bool, own)):.1%}",
        f"{fmean(within):.1%}" if within else "",
    )


def _rounds(ranks: Sequence[int]) -> list[list[float]]:
    """Each question is a round of its own, so that the interval is over questions."""
    return [[100.0 * (rank == 1)] for rank in ranks]


JUDGEMENT = Judgement(
    name="lines first",
    meaning="questions whose lines come first of all, in percent, for docstrings asked of code "
    "without them; judged beside BM25 alone over the same chunks",
    unit="%",
    value_unit="x",
    target=1.1,
    of=times_bare,
    baseline=bare,
    summary=fmean,
    at_least=True,
)
