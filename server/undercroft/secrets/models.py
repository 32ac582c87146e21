"""Values of the secrets room; only SecretDetails may carry a secret's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

_HAS_TAIL = 20
"""A value of so many characters shows its last four."""
_TAIL = 4


@dataclass(frozen=True, kw_only=True)
class Secret:
    """What may be known of a secret."""

    name: str
    """Also the environment variable that it becomes."""
    kind: str
    description: str
    version: int
    fingerprint: str
    """Equal for equal values of a project, until its data key is rotated."""
    generated: bool
    """Whether the server made the value."""
    expires_at: datetime | None = None
    rotate_every_days: int | None = None
    rotation_due_at: datetime | None = None
    deleted_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    created_by: str
    updated_by: str

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A secret from a row of `list_secrets`."""
        return cls(**dict(row))


@dataclass(frozen=True, kw_only=True)
class SecretDetails(Secret):
    """The same, with as much of the value as may be seen."""

    masked: str
    """Dots, always as many, and the last four characters of a value that has 20 or more."""
    value: str | None = field(default=None, repr=False)
    """Only where a person has allowed it."""


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A secret that a person is asked for, on a page that only they see."""

    name: str
    waiting: bool = True
    hint: str


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How the server makes a value."""

    kind: str
    generator: str
    length: int
    around: str = ""
    """A text whose `{}` the made part takes: postgresql://app:{}@localhost/app."""


@dataclass(frozen=True, kw_only=True)
class Template:
    """A kind of secret."""

    kind: str
    description: str
    shape: str
    """Regular expression that a whole value matches; empty: anything."""
    generator: str
    """How the server makes one; empty: only a person can give it."""
    length: int
    expires_days: int | None = None


@dataclass(frozen=True, kw_only=True)
class Access:
    """One row of the access log."""

    id: int
    at: datetime
    actor: str
    action: str
    secret: str | None
    version: int | None
    purpose: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the access log is as it was written."""

    entries: int
    intact: bool
    broken: int | None
    """First row that is not; one beyond the last: the end is cut off."""
    last_hash: str


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A person's leave to show a secret."""

    name: str
    once: bool
    expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Rotated:
    """What a rotation of keys has come to."""

    key: str
    """The key that is active now."""
    moved: int
    """Values, or data keys, that were encrypted anew."""
    left: int = 0
    """Those that could not be, and are still readable under the older key."""


def mask(value: str) -> str:
    """What may be seen of a value."""
    return "••••••••" + (value[-_TAIL:] if len(value) >= _HAS_TAIL else "")
