"""Data keys of one project: the one that encrypts, and those that still decrypt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID, uuid4

from undercroft.errors import Unavailable
from undercroft.secrets.cipher import MAX_ENCRYPTIONS, Key, Place, Sealed
from undercroft.secrets.wrapping import SQL, rewrap, wrappers

__all__ = ["SQL", "Active", "DataKeys", "Opened"]

if TYPE_CHECKING:
    from collections.abc import Mapping

    from undercroft.db.database import Database
    from undercroft.secrets.ring import KeyRing

State = Literal["active", "blinding"]
"""Of which a project has one data key each."""


class Opened(dict[UUID, Key]):
    """Data keys of a project that were unwrapped; it lives as long as the project's pool."""


class Active(NamedTuple):
    """The data key that encrypts now."""

    id: UUID
    key: Key


class DataKeys:
    """Encrypts and decrypts for one project.

    Another server may rotate keys at any moment: each row names its own, and one that is unknown
    is unwrapped when it is met.
    """

    def __init__(self, database: Database, ring: KeyRing) -> None:
        self._db = database
        self._ring = ring
        self._opened = database.cached(Opened)
        self._project = database.name

    def seal(self, value: str, name: str, version: int, active: Active) -> Sealed:
        """Encrypt a value as a version of a secret."""
        return active.key.seal(value, Place(self._project, name, version, active.id))

    async def open(self, row: Mapping[str, Any]) -> str:
        """The value of a row that has a ciphertext and its key.

        Raises:
            Forbidden: It does not decrypt where it stands.

        """
        place = Place(self._project, row["name"], row["version"], row["key_id"])
        return (await self._key(row)).open(row["nonce"], row["ciphertext"], place)

    async def _key(self, row: Mapping[str, Any]) -> Key:
        key_id = row["key_id"]
        if key_id not in self._opened:
            kek = await self._ring.find(row["wrapped_by"])
            self._opened[key_id] = kek.unwrap(row["wrapped"], self._project, key_id)
        return self._opened[key_id]

    async def active(self, row: Mapping[str, Any] | None = None) -> Active:
        """The key that encrypts; made on first use. `row`: what is known of it already."""
        if row is None:
            row = await self._db.fetch_row(SQL.get_data_key, "active")
        if row is None or row["key_id"] is None:
            return await self.active(await self._first("active"))
        if row.get("encryptions", 0) >= MAX_ENCRYPTIONS:
            return await self.replace(row["key_id"])
        return Active(row["key_id"], await self._key(row))

    async def blinding(self) -> Key:
        """The key of digests that stand for values; no rotation of data keys changes it."""
        row = await self._db.fetch_row(SQL.get_data_key, "blinding")
        return await self._key(row or await self._first("blinding"))

    async def _first(self, state: State) -> Mapping[str, Any]:
        # Committed before it is used: a rotation of the key-encryption key is to see it.
        database = self._db.outside() if self._db.in_transaction else self._db
        made = await self._wrapped()
        await self._add(made, database, state)
        await self._settle(made, database)
        # Another server may have been faster.
        row: Mapping[str, Any] | None = await self._db.fetch_row(SQL.get_data_key, state)
        if row is None:
            raise Unavailable("Others change the keys of the project.", hint="Call again.")
        return row

    async def replace(self, old: UUID) -> Active:
        """Another key that encrypts from now on; the old one only decrypts."""
        made = await self._wrapped()
        async with self._db.transaction() as transaction:
            if await transaction.fetch_value(SQL.retire_key, old) is not None:
                await self._add(made, transaction, "active")
        await self._settle(made, self._db)
        return await self.active()

    async def _wrapped(self) -> tuple[UUID, bytes, str]:
        kek = await self._ring.current(await wrappers(self._db), anew=True)
        key_id = uuid4()
        return key_id, kek.wrap(Key.random(), self._project, key_id), kek.id

    async def _add(self, made: tuple[UUID, bytes, str], database: Database, state: State) -> None:
        await database.fetch_value(SQL.insert_key, *made, state, database.actor)

    async def _settle(self, made: tuple[UUID, bytes, str], database: Database) -> None:
        """Wrap anew what was made while the key-encryption key was replaced.

        Its rotation has looked through the project before the data key was there, or sees it.
        """
        if await self._ring.current_id() != made[2]:
            await rewrap(database, self._ring)
