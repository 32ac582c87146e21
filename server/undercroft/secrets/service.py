"""The rules of secrets: a value goes in once, is used by name, and leaves only with its log row."""

from __future__ import annotations

from collections.abc import Mapping

from undercroft.errors import InvalidInput, UndercroftError
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.secrets.by_person import Asked
from undercroft.secrets.data_keys import SQL
from undercroft.secrets.giving import Giving
from undercroft.secrets.models import Access, Rotated, Secret, Verdict
from undercroft.secrets.names import check_name, check_value
from undercroft.secrets.rotating import rotate_data_key
from undercroft.secrets.vault import log_access, moved_on


class Secrets(Asked, Giving):
    """Secrets of one project."""

    async def page(
        self, limit: int = 50, cursor: str = "", *, deleted: bool = False
    ) -> Page[Secret]:
        """Secrets in order of their names; `deleted`: those that were, instead."""
        after = decode_cursor(cursor, 1)[0] if cursor else ""
        rows = await self._db.fetch(SQL.list_secrets, str(after), deleted, limit + 1)
        found = (Secret.from_row(row) for row in rows)
        return page_of(found, limit=limit, position=lambda one: [one.name])

    async def set_all(self, values: Mapping[str, str]) -> list[Secret]:
        """Keep several values, all or none.

        Raises:
            InvalidInput: A name or value is not allowed; the message tells which name.

        """
        for name, value in values.items():
            check_name(name)
            try:
                check_value(value)
            except UndercroftError as error:
                raise type(error)(f"{name}: {error.message}", hint="Nothing was stored.") from None
        async with self._db.transaction() as transaction:
            bound = Secrets(transaction, self._ring)
            return [await bound.set(name, value) for name, value in values.items()]

    async def delete(self, name: str, *, expected_version: int = 0) -> None:
        """Put a secret away: it is not used any more, and can be restored.

        Raises:
            NotFound: There is no such secret.
            Conflict: It has another version.

        """
        check_name(name)
        async with self._db.transaction() as transaction:
            version = await transaction.fetch_value(
                SQL.delete_secret, name, expected_version, self._db.actor
            )
            if version is None:
                known = await self._known(name)
                if known is None or known.deleted_at is not None:
                    raise await self._unknown(name)
                raise moved_on(name, known.version)
            await transaction.execute(SQL.end_permissions, name)
            await log_access(transaction, "delete", [{"name": name, "version": version}])

    async def restore(self, name: str) -> Secret:
        """Bring a deleted secret back; one that is there stays as it is.

        Raises:
            NotFound: There was never such a secret.

        """
        check_name(name)
        async with self._db.transaction() as transaction:
            version = await transaction.fetch_value(SQL.restore_secret, name, self._db.actor)
            if version is not None:
                await log_access(transaction, "restore", [{"name": name, "version": version}])
        return await self.facts(name)

    async def schedule_rotation(self, name: str, every_days: int) -> Secret:
        """Have a secret listed as due so many days after each new value; 0: not any more.

        Raises:
            NotFound: There is no such secret.
            InvalidInput: The number is not allowed.

        """
        check_name(name)
        if not 0 <= every_days <= 3650:  # noqa: PLR2004 - ten years
            raise InvalidInput("A secret is rotated every 1 to 3650 days; 0 ends the schedule.")
        if every_days:
            await self._db.fetch_value(SQL.schedule_rotation, name, every_days, self._db.actor)
        else:
            await self._db.execute(SQL.end_schedule, name)
        secret = await self.facts(name)
        if secret.deleted_at is not None:
            raise await self._unknown(name)
        return secret

    async def access_log(self, name: str = "", limit: int = 50, cursor: str = "") -> Page[Access]:
        """Who has done what, the newest first; of one secret where it is named."""
        before = decode_cursor(cursor, 1)[0] if cursor else 0
        if not isinstance(before, int):
            raise InvalidInput("The cursor does not belong to this list.")
        rows = await self._db.fetch(SQL.list_accesses, before, name, limit + 1)
        return page_of((Access(**row) for row in rows), limit=limit, position=lambda one: [one.id])

    async def verify_log(self) -> Verdict:
        """Whether the log is as it was written."""
        row = await self._db.fetch_row(SQL.verify_log)
        found = dict(row or {})
        sound = found["broken"] is None and found["last_hash"] is not None
        broken = None if sound else found["broken"] or 1
        return Verdict(
            entries=found["entries"],
            intact=sound,
            broken=broken,
            last_hash=found["last_hash"] or "",
        )

    async def rotate_data_key(self) -> Rotated:
        """Encrypt every value anew under a new data key; a rotation that was cut off goes on."""
        rotated = await rotate_data_key(self._db, self._keys)
        await log_access(self._db, "rotate_data_key", [{"name": None, "version": None}])
        return rotated

    async def blind(self, value: str) -> str:
        """A keyed digest of a value, which may stand where the value itself must not."""
        return (await self._keys.active()).key.blind(value)
