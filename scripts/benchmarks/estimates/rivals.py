"""What the estimator is compared with; each knows what has been finished, and nothing more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.estimates.data import Done

Answers = Mapping[str, float]
"""Rival → hours."""


@dataclass(kw_only=True)
class Rivals:
    """Simple estimates from the past."""

    _actuals: list[float] = field(default_factory=list)
    _by_group: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _ratios: list[float] = field(default_factory=list)
    _estimates: list[float] = field(default_factory=list)

    def learn(self, task: Done) -> None:
        """Take in a task that has been finished."""
        self._actuals.append(task.actual)
        for group in (task.category, task.subcategory):
            self._by_group[group].append(task.actual)
        self._ratios.append(task.actual / task.estimate)
        self._estimates.append(task.estimate)

    def answer(self, task: Done) -> Answers:
        """The developer's own estimate, medians of the past, and the estimate times a factor."""
        overall = float(np.median(self._actuals))
        return {
            "own": task.estimate,
            "overall": overall,
            "category": self._median(task.category, overall),
            "subcategory": self._median(task.subcategory, overall),
            "factor80": task.estimate * self._factor(0.8),
        }

    def _median(self, group: str, otherwise: float) -> float:
        known = self._by_group.get(group)
        return float(np.median(known)) if known else otherwise

    def _factor(self, level: float) -> float:
        """The factor that would have had the least pinball loss in hours over the past.

        That of a factor c is the sum of estimate · pinball(actual / estimate - c): the quantile of
        the ratios, each weighing as much as its estimate.
        """
        ratios = np.asarray(self._ratios)
        order = np.argsort(ratios)
        upto = np.cumsum(np.asarray(self._estimates)[order])
        return float(ratios[order][np.searchsorted(upto, level * upto[-1])])
