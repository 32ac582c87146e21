"""Everything that can go wrong, as one tree.

    UndercroftError
    ├── InvalidInput      the request can never succeed as it stands
    ├── NotFound          what the request names does not exist
    ├── Conflict          the world has moved on since the caller looked
    ├── LimitReached      a size, a count or a budget is exhausted
    ├── Forbidden         the server, its role or its mode does not allow it
    ├── Unavailable       nothing happened; trying again may help
    ├── OutcomeUnknown    a write was sent and its answer was lost
    └── Internal          a defect of ours; only the boundary makes it

A message is written for the client: it never carries SQL, a DSN, a path of the
server, or the detail that PostgreSQL attaches to its own errors.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class UndercroftError(Exception):
    """Base of every error that a client may see.

    `message` says what happened, `hint` what to do next, `data` holds JSON
    values that a program can act on (for example the current version).
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = ""

    def __init__(
        self, message: str, *, hint: str = "", data: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint
        self.data: Mapping[str, Any] = data or {}

    def as_dict(self) -> dict[str, Any]:
        """The error as the client receives it, but for the call id."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        body["retryable"] = self.retryable
        return body | ({"data": dict(self.data)} if self.data else {})


class InvalidInput(UndercroftError):
    """The request can never succeed as it stands."""

    code = "invalid_input"


class NotFound(UndercroftError):
    """What the request names does not exist."""

    code = "not_found"


class Conflict(UndercroftError):
    """The world has moved on since the caller looked."""

    code = "conflict"
    default_hint = "Read the current state, decide again, and send the change with its version."


class LimitReached(UndercroftError):
    """A size, a count or a budget is exhausted."""

    code = "limit_reached"


class Forbidden(UndercroftError):
    """The server, its role or its mode does not allow it."""

    code = "forbidden"


class Unavailable(UndercroftError):
    """Nothing happened; trying again may help."""

    code = "unavailable"
    retryable = True
    default_hint = "Nothing was changed. Try again in a moment."


class OutcomeUnknown(UndercroftError):
    """A write was sent and its answer was lost."""

    code = "outcome_unknown"
    default_hint = (
        "The change may or may not have been made. If the call carried an idempotency_key, send it "
        "again with the same key and arguments; otherwise read the current state first."
    )


class Internal(UndercroftError):
    """A defect of ours; only the boundary makes it."""

    code = "internal"
    default_hint = "This is a defect of the server. Its log has the details under the call id."
