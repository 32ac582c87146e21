"""The same candidates ranked with other weights, by the product's own ranking."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from benchmarks.quality.asking import Answer
from benchmarks.quality.scoring import DEPTH, Lines, ndcg
from undercroft.codebase.ranking import rank
from undercroft.codebase.ranking.weights import WEIGHTS, Weights

LEXICAL = Weights(
    meaning=0.0,
    definition=0.0,
    symbol=0.0,
    member=0.0,
    name=0.0,
    path=0.0,
    further=0.0,
    repeated=1.0,
    aside=1.0,
    variant=1.0,
)
"""BM25 alone: no other part adds, no factor puts back."""
FUSED = replace(LEXICAL, meaning=WEIGHTS.meaning)

ABLATIONS: Mapping[str, Weights] = {
    "lexical only": LEXICAL,
    "dense only": replace(FUSED, words=0.0),
    "fused, without the code ranking": FUSED,
    "without words (BM25)": replace(WEIGHTS, words=0.0),
    "without meaning (vectors)": replace(WEIGHTS, meaning=0.0),
    "without definitions": replace(WEIGHTS, definition=0.0),
    "without symbols' words": replace(WEIGHTS, symbol=0.0),
    "without members' words": replace(WEIGHTS, member=0.0),
    "without files' names": replace(WEIGHTS, name=0.0),
    "without paths' meaning": replace(WEIGHTS, path=0.0),
    "without further chunks of a file": replace(WEIGHTS, further=0.0),
    "without diversity over files": replace(WEIGHTS, repeated=1.0),
    "without tests and examples put back": replace(WEIGHTS, aside=1.0),
    "without variants put back": replace(WEIGHTS, variant=1.0),
}
"""What is left when parts are switched off."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """All answers, to be ranked again and again."""

    answers: Mapping[str, Sequence[Answer]]
    """By repository."""
    _known: dict[tuple[str, Weights], tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, answers: Mapping[str, Sequence[Answer]]) -> Replay:
        """What was seen of the candidates is kept; only weighing is done again.

        Raises:
            RuntimeError: With the built-in weights it ranks otherwise than the product did.

        """
        for one in (answer for each in answers.values() for answer in each):
            if list(one.found) != _ranked(one, WEIGHTS)[: len(one.found)]:
                raise RuntimeError(f"The replay of {one.question.text!r} is not what was answered.")
        return cls(answers=answers)

    def scores(self, repository: str, weights: Weights) -> tuple[float, ...]:
        """NDCG@10 of each question about a repository."""
        key = repository, weights
        if key not in self._known:
            self._known[key] = tuple(
                ndcg(_ranked(one, weights), one.question.targets)
                for one in self.answers[repository]
            )
        return self._known[key]

    def ranked(self, repository: str, weights: Weights) -> list[list[Lines]]:
        """Where the best places of each question stand."""
        return [_ranked(one, weights) for one in self.answers[repository]]

    def mean(self, weights: Weights, without: str = "") -> float:
        """The mean of the repositories' means; `without`: one is left out."""
        return fmean(fmean(self.scores(name, weights)) for name in self.answers if name != without)

    def by_category(self, weights: Weights) -> dict[str, tuple[int, float]]:
        """Of each kind of question how many there are, and the mean over them."""
        found: dict[str, list[float]] = {}
        for name, answers in self.answers.items():
            for one, score in zip(answers, self.scores(name, weights), strict=True):
                found.setdefault(one.question.category, []).append(score)
        return {kind: (len(scores), fmean(scores)) for kind, scores in sorted(found.items())}


def _ranked(answer: Answer, weights: Weights) -> list[Lines]:
    ranked = rank(answer.seen, limit=DEPTH, weights=weights)
    return answer.places([one.candidate for one in ranked])
