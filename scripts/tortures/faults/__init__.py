"""Faults that the tortures must catch, by the room that they break."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercroft.db import queries

if TYPE_CHECKING:
    from tortures.scratch import Scratch


async def nothing(_scratch: Scratch) -> None:
    """Leave the server as it is."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is broken, and the scenario that must notice."""

    meaning: str
    scenario: str
    in_process: Callable[[], None] = lambda: None
    in_server: Callable[[Scratch], Awaitable[None]] = nothing


def reword(name: str, *changes: tuple[str, str]) -> Callable[[], None]:
    """Change one named query as it is read."""
    original = queries.make_query

    def make_query(given: str, text: str, *, writes: bool = False) -> queries.Query:
        for old, new in changes if given == name else ():
            if old not in text:
                raise SystemExit(f"the fault does not fit {name} any more")
            text = text.replace(old, new)
        return original(given, text, writes=writes)

    def plant() -> None:
        read = [getattr(module, "SQL", None) for module in [*sys.modules.values()]]
        if any(name in vars(one) for one in read if isinstance(one, queries.Queries)):
            raise SystemExit(f"{name} has been read before the fault was planted")
        setattr(queries, "make_query", make_query)  # noqa: B010 - mypy minds the plain way

    return plant
