"""Symmetric InfoNCE over pairs: a description must find its code among those of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.examples import KINDS, Examples

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
FIRST_SENTENCE, CUT_SHORT = 0.6, 0.3
"""How often a description is cut to its first sentence, and a long one anywhere."""
SHORT_QUERY, LONG_QUERY = 4, 6
"""Words."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a run is made of."""

    steps: int = 600
    batch: int = 2_048
    neighbours: int = 64
    """Pairs of one package that stand side by side in a batch: the hard negatives."""
    rate: float = 2e-3
    gate_rate: float = 1e-2
    temperature: float = 0.05
    seed: int = 1
    longest_code: int = 300
    weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    """How often each kind is drawn, by its share of the pairs."""
    evenness: float = 0.4
    """0: languages are drawn by their shares; 1: each as often."""


class Batches:
    """Batches of a recipe, each with the pairs of some packages side by side."""

    def __init__(self, examples: Examples, recipe: Recipe) -> None:
        self.examples, self.recipe = examples, recipe
        self.random = np.random.default_rng(recipe.seed)
        order = np.argsort(examples.packages, kind="stable")
        self.members = np.split(order, np.flatnonzero(np.diff(examples.packages[order])) + 1)
        self.odds = [self._odds(own) for own in self.members]
        shares = np.array([odds.sum() for odds in self.odds]) ** 0.75
        self.shares = shares / shares.sum()

    def _odds(self, members: Ints) -> Floats:
        kinds = np.array(self.recipe.weights)[self.examples.kinds[members]]
        counts = np.maximum(np.bincount(self.examples.languages), 1)
        odds = counts[self.examples.languages[members]] ** -self.recipe.evenness
        return np.asarray(kinds * odds)

    def __iter__(self) -> Iterator[Ints]:
        for _ in range(self.recipe.steps):
            groups = self.recipe.batch // self.recipe.neighbours
            chosen = self.random.choice(len(self.members), groups, p=self.shares)
            yield np.unique(np.concatenate([self._some(package) for package in chosen]))

    def _some(self, package: int) -> Ints:
        members, odds = self.members[package], self.odds[package]
        size = min(self.recipe.neighbours, int((odds > 0).sum()))
        return self.random.choice(members, size, replace=False, p=odds / odds.sum())

    def query(self, at: int) -> Ints:
        """The ids of a description, cut as people cut their questions."""
        start, end = self.examples.query_ends[at], self.examples.query_ends[at + 1]
        if self.random.random() < FIRST_SENTENCE:
            end = start + min(end - start, max(2, self.examples.sentences[at]))
        ids = self.examples.queries[start:end].astype(np.int64)
        if self.random.random() < CUT_SHORT and len(ids) > LONG_QUERY:
            ids = ids[: self.random.integers(SHORT_QUERY, len(ids))]
        return ids[:64]

    def code(self, at: int) -> Ints:
        """The ids of a chunk."""
        start, end = self.examples.code_ends[at], self.examples.code_ends[at + 1]
        return self.examples.codes[start : min(end, start + self.recipe.longest_code)].astype(
            np.int64
        )


def bags(texts: list[Ints]) -> tuple[Ints, Ints, Floats]:
    """Distinct ids of each text, where each text begins, and 1 + ln(times) of each id."""
    counts = [len(text) for text in texts]
    keys = np.repeat(np.arange(len(texts)) << 16, counts) | np.concatenate(texts)
    keys, times = np.unique(keys, return_counts=True)
    starts = np.searchsorted(keys, np.arange(len(texts)) << 16)
    return keys & 0xFFFF, starts, (1 + np.log(times)).astype(np.float32)


def learn(
    examples: Examples,
    start: Floats,
    recipe: Recipe,
    told: Callable[[int, float], None] = lambda _step, _loss: None,
) -> Floats:
    """The vectors after one run, their lengths the words' weights."""
    import torch  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - training only

    torch.manual_seed(recipe.seed)
    functional = torch.nn.functional
    vectors = torch.tensor(start, requires_grad=True)
    gates = torch.tensor(np.log(examples.rarity), requires_grad=True)
    optimizer, schedule = _descent(torch, vectors, gates, recipe)
    batches = Batches(examples, recipe)

    def encoded(texts: list[Ints]) -> Any:
        ids, starts, weights = (torch.from_numpy(part) for part in bags(texts))
        weights = weights * torch.exp(gates[ids])
        return functional.normalize(
            functional.embedding_bag(ids, vectors, starts, mode="sum", per_sample_weights=weights)
        )

    for step, chosen in enumerate(batches):
        asked = encoded([batches.query(at) for at in chosen])
        answered = encoded([batches.code(at) for at in chosen])
        scores = asked @ answered.T / recipe.temperature
        scores = scores.masked_fill(torch.from_numpy(_alike(examples, chosen)), -1e4)
        target = torch.arange(len(chosen))
        loss = (
            functional.cross_entropy(scores, target) + functional.cross_entropy(scores.T, target)
        ) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        told(step, float(loss))
    with torch.no_grad():
        return np.asarray(vectors * torch.exp(gates)[:, None], np.float32)


def _descent(torch: Any, vectors: Any, gates: Any, recipe: Recipe) -> tuple[Any, Any]:
    """Adam, its rate rising for thirty steps and falling from there on."""
    optimizer = torch.optim.Adam(
        [{"params": [vectors], "lr": recipe.rate}, {"params": [gates], "lr": recipe.gate_rate}]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 30) * max(0.02, 1 - step / recipe.steps)
    )
    return optimizer, schedule


def _alike(examples: Examples, chosen: Ints) -> npt.NDArray[np.bool_]:
    """Pairs of one file that would be false negatives: one of them speaks of the whole file."""
    files = examples.files[chosen]
    whole = np.isin(examples.kinds[chosen], [KINDS.index("module"), KINDS.index("mention")])
    same = (files[:, None] == files[None, :]) & (whole[:, None] | whole[None, :])
    np.fill_diagonal(same, val=False)
    return np.asarray(same)
