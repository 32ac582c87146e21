"""A circuit breaker: what fails again and again is left alone for a while, longer each time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from undercroft.codebase.embedding.faults import ModelFault, Resting, TextsRefused

PATIENCE = 3
"""Failures in a row until it opens."""

FIRST_REST = 5.0
LONGEST_REST = 300.0
"""Seconds for which it stays open; each failure after that doubles them."""

SPREAD = 0.2
"""The share of a rest that chance adds, so that servers do not come back in step."""


class Breaker:
    """Guards one endpoint; all who ask it in this process share one."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._failures = 0
        self._until = 0.0
        self._on_trial = False

    @property
    def rest(self) -> float:
        """Seconds until it may be asked again; 0: now."""
        return max(0.0, self._until - self._clock())

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """One request; after a rest a single one tells whether it works again.

        Raises:
            Resting: It is left alone for now.

        """
        if self.rest or self._on_trial:
            raise Resting(
                f"The embedding model {self._name} did not answer and is left alone for a while.",
                passing=True,
                pause=self.rest or FIRST_REST,
            )
        trial = self._on_trial = self._failures >= PATIENCE
        try:
            yield
        except TextsRefused:
            self._failures = 0
            raise
        except ModelFault as fault:
            self._failed(fault.pause)
            raise
        else:
            self._failures = 0
        finally:
            if trial:
                self._on_trial = False

    def _failed(self, pause: float | None) -> None:
        self._failures += 1
        rest = min(LONGEST_REST, FIRST_REST * 2.0 ** min(self._failures - PATIENCE, 10))
        if self._failures < PATIENCE:
            rest = 0.0
        rest *= 1 + SPREAD * random.random()  # noqa: S311 - a pause is no secret
        self._until = self._clock() + max(rest, pause or 0.0)
