"""Rows of the vault are changed and moved, bit by bit: nothing that was touched decrypts."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tortures.scratch import Scratch
from tortures.secret_canaries import canary
from undercroft.app import App
from undercroft.errors import Forbidden, UndercroftError

NAMES = 30
"""Secrets that are there to be tampered with, in each of two projects."""
PROJECTS = ("house", "neighbor")
COLUMNS = ("ciphertext", "nonce")
_KEEP = """
CREATE TEMP TABLE kept_versions AS TABLE vault.secret_versions;
CREATE TEMP TABLE kept_keys AS TABLE vault.encryption_keys;
"""
_PUT_BACK = """
UPDATE vault.secrets SET version = 1 WHERE version <> 1;
UPDATE vault.secret_versions SET version = 1 WHERE version <> 1;
UPDATE vault.secret_versions AS v SET key_id = k.key_id, nonce = k.nonce,
    ciphertext = k.ciphertext, fingerprint = k.fingerprint
FROM kept_versions AS k WHERE v.name = k.name
    AND (v.key_id, v.nonce, v.ciphertext) IS DISTINCT FROM (k.key_id, k.nonce, k.ciphertext);
UPDATE vault.encryption_keys AS e SET wrapped = k.wrapped
FROM kept_keys AS k WHERE e.id = k.id AND e.wrapped <> k.wrapped;
DELETE FROM vault.encryption_keys WHERE id NOT IN (SELECT id FROM kept_keys);
"""
_SWAP = """
UPDATE vault.secret_versions AS v SET key_id = o.key_id, nonce = o.nonce,
    ciphertext = o.ciphertext, fingerprint = o.fingerprint
FROM vault.secret_versions AS o
WHERE v.version = 1 AND o.version = 1
  AND ((v.name = $1 AND o.name = $2) OR (v.name = $2 AND o.name = $1))
"""
_RENUMBER = """
WITH moved AS (UPDATE vault.secrets SET version = 2 WHERE name = $1)
UPDATE vault.secret_versions SET version = 2 WHERE name = $1
"""
_ADOPT_KEY = """
INSERT INTO vault.encryption_keys (id, wrapped, wrapped_by, state, created_by)
VALUES ($1, $2, $3, 'retired', 'vandal') ON CONFLICT (id) DO NOTHING
"""
_ADOPT = """
UPDATE vault.secret_versions SET key_id = $2, nonce = $3, ciphertext = $4 WHERE name = $1
"""
_FOREIGN = """
SELECT v.nonce, v.ciphertext, k.id, k.wrapped, k.wrapped_by FROM vault.secret_versions AS v
JOIN vault.encryption_keys AS k ON k.id = v.key_id WHERE v.name = $1
"""


@dataclass(kw_only=True)
class Vandal:
    """Changes rows of a project, looks whether a value comes out, and changes them back."""

    admin: Any
    neighbor: Any
    """Bare connections to the two projects' databases."""
    app: App
    values: Mapping[str, str]
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    opened: list[str] = field(default_factory=list)
    """Changes after which a value came out all the same."""
    odd: list[str] = field(default_factory=list)
    """Answers by which nobody learns what is wrong."""
    lost: list[str] = field(default_factory=list)
    """Values that were not there again once all was put back."""

    async def round(self) -> None:
        """Every kind of change once, and bits more often."""
        for _ in range(10):
            await self._flip()
        await self._flip_key()
        await self._swap()
        await self._try("version", self._any(), _RENUMBER)
        await self._adopt()
        await self._see_all()

    def _any(self) -> str:
        return self.dice.choice([*self.values])

    async def _flip(self) -> None:
        name, column = self._any(), self.dice.choice(COLUMNS)
        # The column is one of ours.
        size = await self.admin.fetchval(
            f"SELECT octet_length({column}) FROM vault.secret_versions WHERE name = $1",  # noqa: S608 - as said
            name,
        )
        bit = self.dice.randrange(8 * size)
        change = f"{column} = set_bit({column}, {bit}, 1 - get_bit({column}, {bit}))"
        text = f"UPDATE vault.secret_versions SET {change} WHERE name = $1"  # noqa: S608 - as said
        await self._try(f"bit of {column}", name, text)

    async def _flip_key(self) -> None:
        bit = self.dice.randrange(8 * 60)
        change = f"wrapped = set_bit(wrapped, {bit}, 1 - get_bit(wrapped, {bit}))"
        text = f"UPDATE vault.encryption_keys SET {change} WHERE $1::text <> ''"  # noqa: S608 - as said
        await self._try("bit of a key", self._any(), text)

    async def _swap(self) -> None:
        one, other = self.dice.sample([*self.values], 2)
        async with self._put_back():
            await self.admin.execute(_SWAP, one, other)
            await self._look("swap", one)
            await self._look("swap", other)

    async def _adopt(self) -> None:
        """Let a secret hold what its namesake of another project holds, key and all."""
        name = self._any()
        row = await self.neighbor.fetchrow(_FOREIGN, name)
        async with self._put_back():
            await self.admin.execute(_ADOPT_KEY, row["id"], row["wrapped"], row["wrapped_by"])
            await self.admin.execute(_ADOPT, name, row["id"], row["nonce"], row["ciphertext"])
            await self._look("other project", name)

    async def _try(self, what: str, name: str, text: str) -> None:
        async with self._put_back():
            await self.admin.execute(text, name)
            await self._look(what, name)

    @asynccontextmanager
    async def _put_back(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.admin.execute(_PUT_BACK)

    async def _look(self, what: str, name: str) -> None:
        self.done[what] += 1
        try:
            await self._shown(name)
        except Forbidden:
            return
        except UndercroftError as error:
            self.odd.append(f"{what} of {name}: {error.message}")
        else:
            self.opened.append(f"{what} of {name}")

    async def _shown(self, name: str) -> str:
        secrets = await self.app.secrets(PROJECTS[0], "vandal")
        # As a server that has unwrapped no key yet.
        secrets._keys._opened.clear()  # noqa: SLF001 - as said
        return await secrets.show(name)

    async def _see_all(self) -> None:
        name = self._any()
        if await self._shown(name) != self.values[name]:
            self.lost.append(name)


async def tampered(place: Scratch, app: App, target: int) -> Vandal:
    """Change rows until so much was tried."""
    values = {f"V{number}": canary() for number in range(NAMES)}
    for project in PROJECTS:
        await (await app.projects("torture")).create(project)
        secrets = await app.secrets(project)
        for name, value in values.items():
            await secrets.set(name, value)
    ours, theirs = (place.asked(f"project_{project}") for project in PROJECTS)
    async with ours as admin, theirs as neighbor:
        await admin.execute(_KEEP)
        dice = random.Random()  # noqa: S311 - another run each time
        vandal = Vandal(admin=admin, neighbor=neighbor, app=app, values=values, dice=dice)
        while vandal.done.total() < target:
            await vandal.round()
    return vandal
