"""What each process asked of the ports room and what it was told, line by line as it happened.

A line goes to the kernel before the question and another after the answer, so that kill -9 loses
none. Times are seconds of the machine's clock, which is also the database's.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class Deed:
    """One question."""

    process: int
    do: str
    """allocate, release, reserve, renew or let_go."""
    who: str
    """The asker, or the reservation."""
    began: float
    ended: float | None = None
    """None: there was no answer."""
    ports: Sequence[int] = ()
    code: str = ""
    """Of the error, or empty."""
    state: str = ""
    """SQLSTATE behind it."""
    wanted: int = 1
    """Ports."""
    contiguous: bool = False
    ttl: float = 0.0
    until: float = 0.0
    """When a reservation is over, as it was told."""
    project: str = ""
    """Whose a reservation is."""
    takes: tuple[str, int] | None = None
    """A project, and a port that it has reserved, which the asker wants for itself."""

    @property
    def done(self) -> bool:
        """Whether it was told to be done."""
        return self.ended is not None and not self.code

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows if it was done."""
        return self.ended is None or self.code == "outcome_unknown"


@dataclass(kw_only=True)
class Diary:
    """The lines of one process."""

    path: Path
    _file: int = field(init=False)
    _last: int = 0

    def __post_init__(self) -> None:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, do: str, who: str, **facts: Any) -> int:
        """Write down a question; its number."""
        self._last += 1
        self._write(n=self._last, do=do, who=who, began=time.time(), **facts)
        return self._last

    def end(self, number: int, **facts: Any) -> None:
        """Write down the answer."""
        self._write(n=number, ended=time.time(), **facts)

    def _write(self, **facts: Any) -> None:
        os.write(self._file, json.dumps(facts).encode() + b"\n")


def read(folder: Path) -> list[Deed]:
    """The deeds of all processes, each one's in its order; a file is named by its process."""
    return [deed for path in sorted(folder.iterdir()) for deed in _deeds(path)]


def _deeds(path: Path) -> Iterator[Deed]:
    deeds: dict[int, Deed] = {}
    for line in path.read_bytes().split(b"\n"):
        facts: dict[str, Any] = json.loads(line) if line else {"n": 0}
        number = facts.pop("n")
        if "began" in facts:
            if "takes" in facts:
                facts["takes"] = tuple(facts["takes"])
            deeds[number] = Deed(process=int(path.name), **facts)
        elif number:
            vars(deeds[number]).update(facts)
    return iter(deeds.values())
