"""Rotation of keys: in small steps that are each whole, so that it may end after any of them.

What was read and what is written name the key of every row. A value is readable at any time,
also by servers that know nothing of the rotation; one that was cut off goes on when it is begun
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from undercroft.secrets.data_keys import SQL, DataKeys
from undercroft.secrets.models import Rotated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from undercroft.db.database import Database
    from undercroft.secrets.data_keys import Active
    from undercroft.secrets.ring import KeyRing

BATCH = 100
"""Values that are moved in one statement."""


async def rotate_data_key(database: Database, keys: DataKeys) -> Rotated:
    """Put every value of a project under a new data key; finish what was cut off instead."""
    active = await keys.active()
    if not await database.fetch_value(SQL.has_stale):
        active = await keys.replace(active.id)
    moved = 0
    while await database.fetch_value(SQL.has_stale):
        moved += await _pass(database, keys)
        active = await keys.active()
    await database.execute(SQL.drop_retired_keys)
    return Rotated(key=str(active.id), moved=moved)


async def _pass(database: Database, keys: DataKeys) -> int:
    """Once through the values that are under an older key."""
    moved, after = 0, ("", 0)
    while rows := await database.fetch(SQL.list_stale, *after, BATCH):
        moved += await _move(database, keys, rows, await keys.active())
        after = (rows[-1]["name"], rows[-1]["version"])
    return moved


async def _move(
    database: Database, keys: DataKeys, rows: Sequence[Mapping[str, Any]], active: Active
) -> int:
    sealed = [keys.seal(await keys.open(row), row["name"], row["version"], active) for row in rows]
    async with database.transaction() as transaction:
        if await transaction.fetch_value(SQL.count_encryptions, active.id, len(rows)) is None:
            return 0
        done = await transaction.fetch(
            SQL.move_values,
            active.id,
            [row["name"] for row in rows],
            [row["version"] for row in rows],
            [row["key_id"] for row in rows],
            [one.nonce for one in sealed],
            [one.ciphertext for one in sealed],
            [one.fingerprint for one in sealed],
        )
    return len(done)


async def wrappers(database: Database) -> list[str]:
    """Ids of the key-encryption keys that a project's data keys name."""
    return [row["wrapped_by"] for row in await database.fetch(SQL.list_wrappers)]


async def rewrap(database: Database, ring: KeyRing) -> int:
    """Put a project's data keys under the key-encryption key that wraps now; how many."""
    current = await ring.current()
    moved = 0
    for row in await database.fetch(SQL.list_wrapped, current.id):
        old = await ring.find(row["wrapped_by"])
        key = old.unwrap(row["wrapped"], database.name, row["key_id"])
        wrapped = current.wrap(key, database.name, row["key_id"])
        done = await database.fetch_value(
            SQL.rewrap_key, row["key_id"], old.id, wrapped, current.id
        )
        moved += done is not None
    return moved
