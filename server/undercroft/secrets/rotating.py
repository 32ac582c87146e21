"""Rotation of keys: in small steps that are each whole, so that it may end after any of them.

What was read and what is written name the key of every row. A value is readable at any time,
also by servers that know nothing of the rotation; one that was cut off goes on when it is begun
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from undercroft.secrets.cipher import Damaged
from undercroft.secrets.data_keys import SQL, DataKeys
from undercroft.secrets.models import Rotated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from undercroft.db.database import Database
    from undercroft.secrets.data_keys import Active

BATCH = 100
"""Values that are moved in one statement."""

log = structlog.get_logger("undercroft.secrets")


async def rotate_data_key(database: Database, keys: DataKeys) -> Rotated:
    """Put every value of a project under a new data key; finish what was cut off instead."""
    moved, damaged = await _finish(database, keys)
    if not moved:
        await keys.replace((await keys.active()).id)
        moved, damaged = await _finish(database, keys)
    # A key of values that do not decrypt stays: a backup may bring them back.
    await database.execute(SQL.drop_retired_keys)
    return Rotated(key=str((await keys.active()).id), moved=moved, damaged=damaged)


async def _finish(database: Database, keys: DataKeys) -> tuple[int, int]:
    """Move what is under an older key: how many values were, and how many do not decrypt."""
    moved = 0
    while True:
        done, missed, damaged = await _pass(database, keys)
        moved += done
        if not missed:
            return moved, damaged


async def _pass(database: Database, keys: DataKeys) -> tuple[int, int, int]:
    """Once through the values that are under an older key.

    How many were moved, how many were not since another server has changed something meanwhile,
    and how many do not decrypt.
    """
    moved, missed, damaged, after = 0, 0, 0, ("", 0)
    while rows := await database.fetch(SQL.list_stale, *after, BATCH):
        values = await _opened(keys, rows)
        damaged += len(rows) - len(values)
        if values:
            done = await _move(database, keys, values, await keys.active())
            moved, missed = moved + done, missed + len(values) - done
        after = (rows[-1]["name"], rows[-1]["version"])
    return moved, missed, damaged


async def _opened(
    keys: DataKeys, rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping[str, Any], str]]:
    """The rows that decrypt, each with its value."""
    values = []
    for row in rows:
        try:
            values.append((row, await keys.open(row)))
        except Damaged as error:
            log.warning(
                "value_not_rotated", secret=row["name"], version=row["version"], error=error.message
            )
    return values


async def _move(
    database: Database,
    keys: DataKeys,
    values: Sequence[tuple[Mapping[str, Any], str]],
    active: Active,
) -> int:
    rows = [row for row, _ in values]
    sealed = [keys.seal(value, row["name"], row["version"], active) for row, value in values]
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
