"""How values leave: never before the log has its row, committed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from undercroft.errors import Forbidden, InvalidInput, NotFound
from undercroft.secrets.data_keys import SQL
from undercroft.secrets.models import Permission, SecretDetails, mask
from undercroft.secrets.names import check_name, check_text
from undercroft.secrets.vault import Vault, log_access


class Giving(Vault):
    """Everything that decrypts."""

    async def use(self, names: Sequence[str] = (), *, purpose: str) -> dict[str, str]:
        """Values by name, for a child process or a file; without names: of all that may be used.

        The log has its rows, committed, before any value is decrypted.

        Raises:
            NotFound: There is no secret of a name.
            Forbidden: One has expired, or does not decrypt; or the log is damaged.

        """
        check_text(purpose, "purpose")
        for name in names:
            check_name(name)
        database = self.outside
        rows = await database.fetch(SQL.read_values, list(dict.fromkeys(names)) or None)
        if lacking := set(names) - {row["name"] for row in rows}:
            raise await self._unknown(min(lacking))
        await self._refuse_expired(rows, purpose)
        await self.log("use", rows, purpose)
        return {row["name"]: await self._keys.open(row) for row in rows}

    async def reveal(self, name: str, *, version: int | None = None, purpose: str = "") -> str:
        """A value for an agent to see, where a person has allowed that.

        Raises:
            NotFound: There is no such secret or version.
            Forbidden: Nobody has allowed it; the log tells of the refusal as well.

        """
        row = await self._version(name, version)
        check_text(purpose, "purpose")
        allowed = await self.outside.fetch_value(
            SQL.take_permission, name, row["version"], self._db.actor, purpose
        )
        if not allowed:
            raise Forbidden(
                f"No person has allowed that {name} be shown.",
                hint=f"A command gets it without you seeing it: `undercroft run --only {name} -- "
                f"…`. Else a person runs `undercroft secret allow {name}` in a terminal.",
            )
        return await self._keys.open(row)

    async def show(self, name: str, *, version: int | None = None) -> str:
        """A value for a person at a terminal; who calls this has seen to it that there is one.

        Raises:
            NotFound: There is no such secret or version.

        """
        row = await self._version(name, version)
        await self.log("show", [row])
        return await self._keys.open(row)

    async def allow_reveal(
        self, name: str, seconds: float = 600.0, *, once: bool = False
    ) -> Permission:
        """Let a secret be revealed for so many seconds, or once within them: a person's word.

        Raises:
            NotFound: There is no such secret.
            InvalidInput: The time is no time, or longer than a day.

        """
        check_name(name)
        if not 1 <= seconds <= 86_400:  # noqa: PLR2004 - a day
            raise InvalidInput("A secret may be shown for 1 second to 1 day.")
        async with self._db.transaction() as transaction:
            row = await transaction.fetch_row(SQL.allow_reveal, name, once, self._db.actor, seconds)
            if row is None:
                raise await self._unknown(name)
            await log_access(transaction, "allow", [{"name": name, "version": None}])
        return Permission(**row)

    async def get(self, name: str) -> SecretDetails:
        """What may be known of a secret; that its value was looked at for the mask is logged.

        Raises:
            NotFound: There is no such secret.

        """
        secret = await self.facts(name)
        if secret.deleted_at is not None:
            return SecretDetails(**vars(secret), masked="")
        row = await self._version(name, None)
        await self.log("mask", [row])
        return SecretDetails(**vars(secret), masked=mask(await self._keys.open(row)))

    async def _refuse_expired(self, rows: Sequence[Mapping[str, Any]], purpose: str) -> None:
        expired = [row for row in rows if row["expired"]]
        if expired:
            await self.log("refuse", expired, purpose)
            name = expired[0]["name"]
            raise Forbidden(
                f"The secret {name} has expired.",
                hint=f"rotate_secret or `undercroft secret set {name}` gives it another value.",
            )

    async def _version(self, name: str, version: int | None) -> Mapping[str, Any]:
        check_name(name)
        row: Mapping[str, Any] | None = await self.outside.fetch_row(
            SQL.read_version, name, version or 0
        )
        if row is None:
            if version and await self.outside.fetch_row(SQL.read_version, name, 0):
                raise NotFound(f"The secret {name} has no version {version}.")
            raise await self._unknown(name)
        return row
