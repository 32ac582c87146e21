"""What all rules of secrets stand on: the project's database, its data keys, the log."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from undercroft.errors import Conflict, NotFound
from undercroft.secrets.data_keys import SQL, DataKeys
from undercroft.secrets.models import Secret, Template
from undercroft.secrets.names import check_name

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.secrets.ring import KeyRing

Rows = Sequence[Mapping[str, Any]]
"""With a name and a version each."""


class Vault:
    """Secrets of one project, as the rules of going in and of leaving both know them."""

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._db = database
        self._ring = ring
        self._keys = DataKeys(database, ring)

    @property
    def outside(self) -> Database:
        """What must be committed before a value leaves does not wait for the caller's end."""
        return self._db.outside() if self._db.in_transaction else self._db

    async def log(self, action: str, rows: Rows, purpose: str = "") -> None:
        """Add rows to the log and commit them, whatever becomes of the caller's transaction.

        Raises:
            UndercroftError: They may not be there; then no value leaves.

        """
        if rows:
            await log_access(self.outside, action, rows, purpose)

    async def names(self) -> list[str]:
        """Names of all secrets that are there."""
        return [row["name"] for row in await self._db.fetch(SQL.list_names)]

    async def templates(self) -> list[Template]:
        """Every kind of secret."""
        return [Template(**row) for row in await self._db.fetch(SQL.list_templates)]

    async def _known(self, name: str) -> Secret | None:
        row = await self._db.fetch_row(SQL.get_secret, name)
        return None if row is None else Secret.from_row(row)

    async def facts(self, name: str) -> Secret:
        """What may be known of a secret, a deleted one as well.

        Raises:
            NotFound: There was never such a secret.

        """
        check_name(name)
        known = await self._known(name)
        if known is None:
            raise await self._unknown(name)
        return known

    async def _unknown(self, name: str) -> NotFound:
        names = await self.names()
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"There are: {', '.join(names[:30])}." if names else "There are none yet."
        return NotFound(
            f"There is no secret {name}.", hint=f"Did you mean {close[0]}?" if close else hint
        )

    async def _template(self, kind: str) -> Template:
        row = await self._db.fetch_row(SQL.get_template, kind)
        if row is None:
            known = ", ".join(one.kind for one in await self.templates())
            raise NotFound("There is no such kind of secret.", hint=f"There are: {known}.")
        return Template(**row)


async def log_access(database: Database, action: str, rows: Rows, purpose: str = "") -> None:
    """Add rows to the log, in the transaction that the database is bound to."""
    await database.fetch_value(
        SQL.log_access,
        database.actor,
        action,
        [row["name"] for row in rows],
        [row["version"] for row in rows],
        purpose,
    )


def moved_on(name: str, version: int) -> Conflict:
    """The error of a version that was not expected."""
    return Conflict(f"The secret {name} has version {version} by now.", data={"version": version})
