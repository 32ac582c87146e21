"""Secrets stored in one process, below the boundary, beside the same statements unencrypted."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Finding, Judgement, Rounds, Table, bare, times_bare
from benchmarks.frame import Effort, Operation, interleave, timed
from benchmarks.ground import ask, bare_connection, scratch_app
from benchmarks.records import require
from undercroft.secrets.data_keys import SQL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    import asyncpg

    from undercroft.app import App
    from undercroft.secrets.service import Secrets

PROJECT = "secrets"
VALUE = "sk_live_51H8xQ2eZvKYlo2C0aBcDeFgHiJkLmNo"
LONG = "0123456789abcdef" * 4_096
"""A key as services give them, and the longest value there may be."""
BLOCK = 64

STORE = Judgement(
    name="encrypt and store",
    meaning="a new secret of 40 characters, against the same statements by the bare driver with "
    "the value as it is",
    unit="ms",
    value_unit="x",
    target=1.5,
    of=times_bare,
    baseline=bare,
)


@dataclass(kw_only=True)
class Sides:
    """The same done by the service and by the driver."""

    ours: Secrets
    connection: asyncpg.Connection
    key: UUID
    _numbers: Iterator[int] = field(default_factory=count)

    def name(self) -> str:
        """One that nobody has yet."""
        return f"SECRET_{next(self._numbers)}"

    async def store(self) -> None:
        """A new secret."""
        await self.ours.set(self.name(), VALUE)

    async def store_plain(self) -> None:
        """Its statements, without encryption."""
        await self._store_plain(VALUE)

    async def store_long(self) -> None:
        """A new secret of 64 KiB."""
        await self.ours.set(self.name(), LONG)

    async def store_long_plain(self) -> None:
        """Its statements, without encryption."""
        await self._store_plain(LONG)

    async def _store_plain(self, value: str) -> None:
        name, fetch = self.name(), self.connection.fetchrow
        require(await fetch(SQL.get_standing.text, name))
        raw = value.encode()
        # As long as its ciphertext.
        raw += bytes(-(len(raw) + 1) % BLOCK + 17)
        sealed = (self.key, bytes(12), raw, "0" * 16)
        said = (None, None, None, None, "bench", "set", "")
        stored = await fetch(SQL.store_secret.text, name, 0, *sealed, *said)
        require(stored and stored[0])
        require(await fetch(SQL.get_secret.text, name))

    async def use(self) -> None:
        """The value of one, with its row of the log."""
        require(await self.ours.use(["USED"], purpose="bench"))

    async def use_plain(self) -> None:
        """The same rows, not decrypted."""
        require(await self.connection.fetch(SQL.read_values.text, ["USED"]))
        row = ("bench", "use", ["USED"], [1], "bench")
        require(await self.connection.fetchval(SQL.log_access.text, *row))


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """One new secret, and for information what else is done all day."""
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        database = (await app.open(PROJECT)).database
        async with bare_connection(app, database.name) as connection:
            effort.tell("secrets: one after the other")
            for finding in await _storing(app, connection, effort):
                yield finding


async def _storing(app: App, connection: asyncpg.Connection, effort: Effort) -> list[Finding]:
    ours = await app.secrets(PROJECT, "bench")
    await ours.set("USED", VALUE)
    active = await connection.fetchrow(SQL.get_data_key.text, "active")
    sides = Sides(ours=ours, connection=connection, key=active["key_id"])
    rounds = effort.rounds(1_000, 150)
    short = await _interleaved({"ours": sides.store, "bare": sides.store_plain}, rounds)
    long = await _interleaved(
        {"ours": sides.store_long, "bare": sides.store_long_plain}, rounds // 3
    )
    used = await _interleaved({"ours": sides.use, "bare": sides.use_plain}, rounds)
    return [
        STORE.figure(short),
        _table(
            ("a secret of 64 KiB, beside its statements", long["ours"], long["bare"]),
            ("a value used, beside its statements and no decryption", used["ours"], used["bare"]),
        ),
    ]


async def _interleaved(sides: Mapping[str, Operation], rounds: int) -> dict[str, Any]:
    samplers = {side: timed(operation) for side, operation in sides.items()}
    return await interleave(samplers, rounds=rounds, warm=50)


def _table(*rows: tuple[str, Rounds, Rounds]) -> Table:
    """Medians for information."""
    found = []
    for what, ours, beside in rows:
        pair = [statistics.median(chain.from_iterable(side)) for side in (ours, beside)]
        found.append([what, *(f"{one:.3f}" for one in pair), f"{pair[0] / pair[1]:.2f}"])
    return Table(title="Further calls", head=["secrets", "ms", "bare ms", "x"], rows=found)
