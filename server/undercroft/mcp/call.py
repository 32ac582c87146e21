"""One call on its way: who makes it, what it may use, what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic_core import from_json

from undercroft.person import Nobody, Person, Question
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls."""

    actor: str
    """Goes into history: the MCP client's name, or UNDERCROFT_ACTOR."""
    folder: Path | None = None
    """The caller's working folder; None where it is unknown, as over HTTP."""
    progress: Progress = field(default=silent)
    person: Person = field(default_factory=Nobody)
    transport: str = "python"
    project: str = ""
    """The project that the call means, for a tool that asks for its caller."""


class Outcome(NamedTuple):
    """What a call came to, as JSON either way. A tuple: each call makes one."""

    text: str
    """One compact JSON object."""
    failed: bool = False
    project: str | None = None
    wrote: bool = False
    question: Question | None = None
    """In place of an answer, what a person has to say before the call is sent once more."""

    @property
    def body(self) -> dict[str, Any]:
        """The object that the text stands for, read anew each time."""
        return dict(from_json(self.text))


class OpenProject(NamedTuple):
    """A project ready for work."""

    name: str
    database: Database


class Directory(Protocol):
    """Where the boundary finds databases."""

    async def registry(self) -> Database:
        """The registry, started and migrated."""

    def opened(self, name: str) -> OpenProject | None:
        """The named project if it is open already; most calls ask no more."""

    async def named(self, name: str, folder: Path | None) -> str:
        """The name of the project that `open` would open; its database stays closed."""

    async def open(self, name: str, folder: Path | None) -> OpenProject:
        """The named project, or the one whose root contains the folder.

        Raises:
            NotFound: There is no such project.
            InvalidInput: No project was named and none follows from the folder.

        """
