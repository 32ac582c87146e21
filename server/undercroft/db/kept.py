"""What lives as long as a pool: one instance of each kind."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class Ending(Protocol):
    """Something that works in the background."""

    async def end(self) -> None:
        """Stop, and say so in the database."""


class Kept:
    """The instances, made on first use."""

    def __init__(self) -> None:
        self._instances: dict[type, Any] = {}

    def of(self, kind: type[T]) -> T:
        """The one instance of `kind`."""
        if kind not in self._instances:
            self._instances[kind] = kind()
        instance: T = self._instances[kind]
        return instance

    def forget(self) -> None:
        """Make everything anew on its next use; what works in the background comes to its end."""
        self._instances.clear()

    async def end(self, within: float) -> None:
        """Stop what works in the background, within so many seconds, and forget everything."""
        endings = [one.end() for one in self._instances.values() if isinstance(one, Ending)]
        self._instances.clear()
        if endings:
            await asyncio.wait({asyncio.gather(*endings, return_exceptions=True)}, timeout=within)
