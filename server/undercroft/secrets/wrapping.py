"""Wrapping of data keys: each is put under the key-encryption key that wraps now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import structlog

from undercroft.db.queries import load_queries
from undercroft.secrets.cipher import Damaged

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.secrets.ring import KeyRing

SQL = load_queries(__package__)

log = structlog.get_logger("undercroft.secrets")


class Rewrapped(NamedTuple):
    """What became of a project's data keys."""

    moved: int
    damaged: int
    """Those that do not decrypt, nor did before; they are left as they were."""


async def wrappers(database: Database) -> list[str]:
    """Ids of the key-encryption keys that a project's data keys name."""
    return [row["wrapped_by"] for row in await database.fetch(SQL.list_wrappers)]


async def rewrap(database: Database, ring: KeyRing) -> Rewrapped:
    """Put a project's data keys under the key-encryption key that wraps now.

    Raises:
        Forbidden: The provider of a key-encryption key does not have it.

    """
    current = await ring.current()
    moved, damaged = 0, 0
    for row in await database.fetch(SQL.list_wrapped, current.id):
        old = await ring.find(row["wrapped_by"])
        try:
            key = old.unwrap(row["wrapped"], database.name, row["key_id"])
        except Damaged as error:
            damaged += 1
            log.warning("key_not_rewrapped", key=str(row["key_id"]), error=error.message)
            continue
        wrapped = current.wrap(key, database.name, row["key_id"])
        done = await database.fetch_value(
            SQL.rewrap_key, row["key_id"], old.id, wrapped, current.id
        )
        moved += done is not None
    return Rewrapped(moved, damaged)
