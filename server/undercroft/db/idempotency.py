"""A write under a key happens once: key, work and result are one transaction.

A retry with the key and the same arguments gets the first result; with other
arguments it is refused. A result that is not final is given and not kept.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from undercroft.db.database import Database
from undercroft.db.queries import load_queries
from undercroft.errors import Conflict

SQL = load_queries("undercroft.db", "idempotency.sql")

Work = Callable[[Database], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Key:
    """An idempotency key with what it stands for."""

    text: str
    tool: str
    digest: bytes = field(repr=False)
    """SHA-256 over the canonical JSON of the arguments, the key itself left out."""


def key_for(text: str, tool: str, arguments: Mapping[str, Any]) -> Key:
    """The key of one call."""
    canonical = to_json(_sorted(dict(arguments)))
    return Key(text=text, tool=tool, digest=hashlib.sha256(canonical).digest())


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


async def once(
    database: Database, key: Key, work: Work, is_final: Callable[[], bool] = lambda: True
) -> dict[str, Any]:
    """Do the work under the key, or return what it came to the first time.

    `is_final`: asked after the work; without an end of it the key is free again.

    Raises:
        Conflict: The key was used for something else.

    """
    async with database.transaction() as transaction:
        if not await _claim(transaction, key):
            return await _first_result(transaction, key)
        result = await work(transaction)
        if not is_final():
            await transaction.execute(SQL.free_key, key.text)
            return result
        await transaction.execute(SQL.keep_result, key.text, to_json(result).decode())
        return result


async def replayed(database: Database, key: Key) -> dict[str, Any] | None:
    """The first result of work that is idempotent by nature and not one transaction."""
    row = await database.fetch_row(SQL.read_key, key.text)
    return None if row is None else await _first_result(database, key)


async def record(database: Database, key: Key, result: dict[str, Any]) -> None:
    """Keep the result of such work, after it."""
    async with database.transaction() as transaction:
        if await _claim(transaction, key):
            await transaction.execute(SQL.keep_result, key.text, to_json(result).decode())


async def _claim(database: Database, key: Key) -> bool:
    claimed = await database.fetch_value(
        SQL.claim_key, key.text, key.tool, key.digest, database.actor
    )
    return bool(claimed)


async def _first_result(database: Database, key: Key) -> dict[str, Any]:
    row = await database.fetch_row(SQL.read_key, key.text)
    if row is None or (row["tool"], row["arguments_digest"]) != (key.tool, key.digest):
        raise Conflict(
            "This idempotency_key was used for another call.",
            hint="Use a new key for each change, and the old one only to repeat it unchanged.",
        )
    result: dict[str, Any] = from_json(row["result"])
    return result
