"""How long work tells its caller how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Reports `done` of `total` units (None where the total is not known) with a short message."""

    async def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report once; never raises for a caller that does not listen."""


async def silent(done: float, total: float | None = None, message: str = "") -> None:
    """A progress that nobody watches."""
