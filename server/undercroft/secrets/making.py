"""How values go in: given or made, checked, encrypted, and kept as the next version."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from pydantic_core import from_json, to_json

from undercroft.errors import InvalidInput, Unavailable
from undercroft.secrets.data_keys import SQL
from undercroft.secrets.generating import generated
from undercroft.secrets.models import Generation, Secret, Template
from undercroft.secrets.names import check_name, check_text, check_value
from undercroft.secrets.vault import Vault, moved_on

ATTEMPTS = 20
"""How often a value is encrypted anew because another version or key was faster."""


class _Next(NamedTuple):
    """What the next version says of its secret; None leaves a text as it is."""

    name: str
    kind: str | None = None
    description: str | None = None
    recipe: str | None = None
    expires_at: datetime | None = None


class Making(Vault):
    """Everything that gives a secret a value."""

    async def set(  # noqa: PLR0913 - what is known of a secret
        self,
        name: str,
        value: str,
        *,
        kind: str = "",
        description: str = "",
        expires_at: datetime | None = None,
        expires_days: int = 0,
        expected_version: int | None = None,
    ) -> Secret:
        """Keep a value as the next version of a secret, the first of a new one.

        `kind` and `description` stay as they are where they are empty. A deleted secret is back.

        Raises:
            InvalidInput: The name or value is not allowed, or not of the shape of its kind.
            NotFound: There is no such kind.
            Conflict: The secret has another version than `expected_version` (0: it is new).

        """
        check_name(name)
        check_value(value)
        check_text(description, "description")
        if kind:
            _check_shape(value, await self._template(kind))
        expires_at = expires_at or await self._in_days(expires_days)
        wanted = _Next(name, kind or None, description or None, None, expires_at)
        return await self._store("set", value, wanted, expected_version)

    async def generate(  # noqa: PLR0913 - how a value is made
        self,
        name: str,
        kind: str = "token",
        *,
        length: int = 0,
        around: str = "",
        description: str = "",
        expires_days: int = 0,
        expected_version: int | None = None,
    ) -> Secret:
        """Make a value that nobody sees, as `set` keeps one.

        `length`: 0 for the kind's own. `around`: a text whose `{}` the value takes.

        Raises:
            InvalidInput, NotFound, Conflict: As of `set`; or values of the kind cannot be made.

        """
        check_name(name)
        check_text(description, "description")
        check_text(around, "around")
        template = await self._template(kind)
        how = _generation(template, length, around)
        value = generated(how)
        check_value(value)
        _check_shape(value, template)
        recipe = to_json(how).decode()
        expires_at = await self._in_days(expires_days or template.expires_days or 0)
        wanted = _Next(name, kind, description or None, recipe, expires_at)
        return await self._store("generate", value, wanted, expected_version)

    async def rotate(
        self, name: str, value: str | None = None, *, expected_version: int | None = None
    ) -> Secret:
        """Another value: the given one, or one made as the last was.

        Raises:
            NotFound: There is no such secret.
            InvalidInput: A person gave its value, and gives none now; or it is not allowed.
            Conflict: The secret has another version than it had, or than was expected.

        """
        check_name(name)
        row = await self._db.fetch_row(SQL.get_standing, name)
        if row is None or not row["version"] or row["deleted_at"] is not None:
            raise await self._unknown(name)
        template = await self._template(row["kind"]) if row["kind"] else None
        recipe = None
        if value is None:
            recipe = row["recipe"]
            value = generated(_again(name, recipe, template))
        check_value(value)
        if template:
            _check_shape(value, template)
        days = template.expires_days if template and recipe else None
        wanted = _Next(name, None, None, recipe, await self._in_days(days))
        # What was set or put away since then is not undone.
        expected = row["version"] if expected_version is None else expected_version
        return await self._store("rotate", value, wanted, expected)

    async def _store(self, action: str, value: str, wanted: _Next, expected: int | None) -> Secret:
        name = wanted.name
        for _ in range(ATTEMPTS):
            row = await self._db.fetch_row(SQL.get_standing, name)
            seen = row["version"] if row else 0
            if expected is not None and expected != seen:
                raise moved_on(name, seen)
            if action == "rotate" and row and row["deleted_at"] is not None:
                raise await self._unknown(name)
            active = await self._keys.active(row)
            sealed = self._keys.seal(value, name, seen + 1, active)
            stored = await self._db.fetch_value(
                SQL.store_secret,
                name,
                seen,
                active.id,
                *sealed,
                *wanted[1:],
                self._db.actor,
                action,
                "",
            )
            if stored:
                return await self.facts(name)
        raise Unavailable(f"Others change the secret {name} all the time.")

    async def _in_days(self, days: int | None) -> datetime | None:
        if not days:
            return None
        if not 1 <= days <= 36_500:  # noqa: PLR2004 - a hundred years
            raise InvalidInput("A secret expires after 1 to 36500 days.")
        at: datetime = await self._db.fetch_value(SQL.in_days, days)
        return at


def _generation(template: Template, length: int, around: str) -> Generation:
    if not template.generator:
        raise InvalidInput(
            f"A {template.kind} cannot be made here.",
            hint="A person gives it: `undercroft secret set NAME`.",
        )
    return Generation(
        kind=template.kind,
        generator=template.generator,
        length=length or template.length,
        around=around,
    )


def _again(name: str, recipe: str | None, template: Template | None) -> Generation:
    if recipe is not None:
        return Generation(**from_json(recipe))
    if template is not None and template.generator not in ("", "database_url"):
        return _generation(template, 0, "")
    raise InvalidInput(
        f"The value of {name} was given, so the server cannot make the next one.",
        hint=f"A person gives it: `undercroft secret set {name}`.",
    )


def _check_shape(value: str, template: Template) -> None:
    if template.shape and not re.fullmatch(template.shape, value):
        raise InvalidInput(
            f"The value does not look like a {template.kind}.",
            hint="Check that it was copied whole, or choose another kind.",
        )
