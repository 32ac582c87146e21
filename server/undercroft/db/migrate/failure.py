"""What a failure says: little to clients; its place and PostgreSQL's words to operators."""

import asyncpg

from undercroft.db.migrate.files import Script
from undercroft.db.migrate.statements import Statement
from undercroft.db.sqlstate import translate
from undercroft.errors import Unavailable, UndercroftError

RETRYABLE = frozenset({"55P03", "40P01", "40001"})
"""Lock not available, deadlock, serialization failure: others were in the way."""

LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
"""What asyncpg raises, beside SQLSTATE class 08 and 57P, when a connection dies under it."""

_HINTS = {
    "25001": "Let the file begin with `-- no transaction`.",
    "55P03": "Another session holds a lock that this needs; try again when it is gone.",
    "42501": "The role that runs migrations lacks a right; see `undercroft doctor`.",
}
_DEFAULT_HINT = "`undercroft migrate up` shows the statement's place and PostgreSQL's words."


class MigrationFailed(Unavailable):
    """A migration did not go through; everything before it stands."""

    retryable = False

    def __init__(
        self, script: Script, statement: Statement, error: asyncpg.PostgresError, database: str
    ) -> None:
        self.sqlstate: str = error.sqlstate or "XX000"
        super().__init__(
            f"The migration {script.name} failed on {database}.",
            hint=_HINTS.get(self.sqlstate, _DEFAULT_HINT),
            data={"file": script.name, "line": statement.line, "sqlstate": self.sqlstate},
        )
        self.reason = str(error.args[0]) if error.args else ""

    def explain(self) -> str:
        """Place, SQLSTATE and PostgreSQL's primary message; for the operator's eyes only."""
        return f"{self.data['file']}:{self.data['line']}: {self.reason} [{self.sqlstate}]"


def connection_lost(database: str) -> Unavailable:
    """The connection died; whatever was not committed did not happen, and a new run goes on."""
    return Unavailable(
        f"The connection to {database} was lost while it was migrated.",
        hint="Nothing is half done that a new run does not finish. Run it again.",
    )


def as_error(error: BaseException, database: str) -> UndercroftError:
    """What a driver error outside a migration's own statements means."""
    if is_lost(error):
        return connection_lost(database)
    state: str = getattr(error, "sqlstate", None) or ""
    try:
        return translate(error, in_doubt=False)
    except asyncpg.PostgresError:
        return Unavailable(
            f"PostgreSQL refused a step of migrating {database}.", data={"sqlstate": state}
        )


def is_lost(error: BaseException) -> bool:
    """Whether an error means that the connection is gone."""
    state: str = getattr(error, "sqlstate", None) or ""
    return isinstance(error, LOST) or state.startswith(("08", "57P"))
