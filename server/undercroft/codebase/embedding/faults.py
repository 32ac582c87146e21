"""What may be wrong with a model that is somewhere else.

    ModelFault            it cannot be used now
    ├── Resting           it failed again and again, so it is not asked for a while
    └── TextsRefused      it takes no text like these

Nothing here repeats what an endpoint said: it may have sent our key or our code back.
"""

from __future__ import annotations

from undercroft.errors import Unavailable


class ModelFault(Unavailable):
    """The embedding model cannot be used now.

    `passing`: trying again soon may help. `pause`: seconds after which it wants to be asked again.
    """

    default_hint = "`undercroft doctor` looks at every embedding model."

    def __init__(
        self, message: str, *, hint: str = "", passing: bool = False, pause: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.passing = passing
        self.pause = pause


class Resting(ModelFault):
    """It failed again and again, so it is not asked for a while."""


class TextsRefused(ModelFault):
    """It takes no text like these: they are too long, or something is wrong with one of them."""
