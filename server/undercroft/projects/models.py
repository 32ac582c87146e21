"""Values of the projects room."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["creating", "ready", "archived", "dropping"]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project as the registry knows it."""

    name: str
    """1 to 48 characters out of a-z, 0-9 and _; never changes."""
    database_name: str
    state: State
    description: str
    root_path: str | None
    """Folder of the project on the machine of its users; calls from inside it find it by that."""
    settings: dict[str, Any] = field(default_factory=dict)
    created_at: datetime
    updated_at: datetime
    created_by: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Project:
        """A project from a row of `public.projects`."""
        return cls(**{**row, "settings": from_json(row["settings"])})
