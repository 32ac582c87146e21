"""One call on its way: who makes it, what it may use, what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

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
    transport: str = "python"


class Outcome(NamedTuple):
    """What a call came to; `body` is a JSON object either way. A tuple: each call makes one."""

    body: dict[str, Any]
    text: str
    """The same as compact JSON, serialised once."""
    failed: bool = False
    project: str | None = None
    wrote: bool = False


class OpenProject(NamedTuple):
    """A project ready for work."""

    name: str
    database: Database


class Directory(Protocol):
    """Where the boundary finds databases."""

    async def registry(self) -> Database:
        """The registry, started and migrated."""

    async def open(self, name: str, folder: Path | None) -> OpenProject:
        """The named project, or the one whose root contains the folder.

        Raises:
            NotFound: There is no such project.
            InvalidInput: No project was named and none follows from the folder.

        """
