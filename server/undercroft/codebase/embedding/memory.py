"""Vectors of short texts that come again and again, as paths do."""

from collections.abc import Sequence

import numpy as np

from undercroft.codebase.embedding.static import Floats, StaticModel

KEPT = 1 << 13
"""Texts whose vectors are kept: 8 MB at 256 dimensions."""


class Remembered:
    """A model that makes what it does not remember, all at once: a fifth of one by one."""

    def __init__(self, model: StaticModel) -> None:
        self._model = model
        self._known: dict[str, Floats] = {}

    def encode(self, texts: Sequence[str]) -> Floats:
        """See `StaticModel.encode`."""
        missing = {text for text in texts if text not in self._known}
        if len(self._known) + len(missing) > KEPT:
            self._known.clear()
            missing = set(texts)
        if missing:
            made = list(missing)
            self._known.update(zip(made, self._model.encode(made), strict=True))
        return np.array([self._known[text] for text in texts])
