"""Data keys of one project: the one that encrypts, and those that still decrypt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID, uuid4

from undercroft.db.queries import load_queries
from undercroft.errors import Unavailable
from undercroft.secrets.cipher import MAX_ENCRYPTIONS, Key, Place, Sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from undercroft.db.database import Database
    from undercroft.secrets.ring import KeyRing

SQL = load_queries(__package__)

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
        await self._add(await self._wrapped(), self._db, state)
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
        return await self.active()

    async def _wrapped(self) -> tuple[UUID, bytes, str]:
        named = [row["wrapped_by"] for row in await self._db.fetch(SQL.list_wrappers)]
        kek = await self._ring.current(named)
        key_id = uuid4()
        return key_id, kek.wrap(Key.random(), self._project, key_id), kek.id

    async def _add(self, made: tuple[UUID, bytes, str], database: Database, state: State) -> None:
        await database.fetch_value(SQL.insert_key, *made, state, database.actor)
