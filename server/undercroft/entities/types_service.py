"""Types: what records must look like, changed only so that every stored record still fits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from pydantic_core import from_json

from undercroft.entities.changes import same
from undercroft.entities.documents import encode
from undercroft.entities.fields import indexed, searched
from undercroft.entities.indexing import IndexKeeper
from undercroft.entities.isolation import as_json
from undercroft.entities.models import TypeDefined, TypeDefinition, TypeSummary
from undercroft.entities.store import SQL
from undercroft.entities.types_cache import TypeCache, unknown_type
from undercroft.errors import Conflict, InvalidInput, LimitReached, NotFound, UndercroftError
from undercroft.paging import Page, decode_cursor, page_of
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database
    from undercroft.entities.validation import Validator

log = structlog.get_logger("undercroft.entities")

MAX_NAMED = 20
"""Records that an error names one by one."""
MAX_DESCRIPTION = 1_000
BUILT_IN = "undercroft"
"""Actor of the types that come with the program."""

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(kw_only=True)
class _Check:
    """Stored records against a new definition."""

    checked: int = 0
    updated: int = 0
    invalid_count: int = 0
    invalid: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entity: UUID, path: str, message: str) -> None:
        self.invalid_count += 1
        if len(self.invalid) < MAX_NAMED:
            self.invalid.append({"id": str(entity), "path": path, "message": message})


class EntityTypes:
    """The types of one project."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._types = db.cached(TypeCache)
        self._keeper = db.cached(IndexKeeper)

    async def define(  # noqa: PLR0913 - what a definition consists of
        self,
        name: str,
        schema: Mapping[str, Any],
        description: str = "",
        defaults: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
        progress: Progress = silent,
    ) -> TypeDefined:
        """Make a type, or give it a new definition that all its records fit.

        `defaults` fills fields into records that lack them, each as a new version.

        Raises:
            InvalidInput: The schema is none, or not one that we take.
            Conflict: Stored records would not fit; `data.invalid` lists them.

        """
        validator = await _checked(name, schema, description)
        encode(dict(defaults or {}), "defaults")
        if self._db.in_transaction:
            self._types.unsettle(name)
        async with self._db.transaction() as bound:
            defined = await self._define(
                bound, name, validator, description, defaults or {}, progress, dry_run=dry_run
            )
        if defined.outcome != "unchanged" and not dry_run:
            self._types.forget(name)
            self._keeper.kick(self._db)
        return defined

    async def _define(  # noqa: PLR0913, PLR0917 - the request, checked
        self,
        db: Database,
        name: str,
        validator: Validator,
        description: str,
        defaults: Mapping[str, Any],
        progress: Progress,
        *,
        dry_run: bool,
    ) -> TypeDefined:
        row = await db.fetch_row(SQL.lock_type, name)
        if row is None:
            if dry_run or await self._insert(db, name, validator, description):
                return _defined(name, 1, "created", _Check(), dry_run=dry_run)
            row = await db.fetch_row(SQL.lock_type, name)
            assert row is not None  # noqa: S101 - types are never deleted
        description = description or row["description"]
        if same(from_json(row["definition"]), validator.definition) and (
            description == row["description"]
        ):
            return _defined(name, row["version"], "unchanged", _Check(), dry_run=dry_run)
        version = row["version"] + 1
        if not dry_run:
            text = as_json(validator.definition)
            await db.execute(SQL.replace_type, name, text, description, db.actor)
            await db.execute(SQL.insert_type_version, name)
        check = await self._check_records(
            db, name, validator, defaults, progress, version=None if dry_run else version
        )
        if check.invalid_count and not dry_run:
            raise _would_not_fit(name, check)
        return _defined(name, version, "changed", check, dry_run=dry_run)

    async def _insert(
        self, db: Database, name: str, validator: Validator, description: str
    ) -> bool:
        text = as_json(validator.definition)
        made = await db.fetch_value(SQL.insert_type, name, text, description, db.actor)
        if made:
            await db.execute(SQL.insert_type_version, name)
        return bool(made)

    async def _check_records(  # noqa: PLR0913 - the request, checked
        self,
        db: Database,
        name: str,
        validator: Validator,
        defaults: Mapping[str, Any],
        progress: Progress,
        *,
        version: int | None,
    ) -> _Check:
        """Check every live record in batches; write the defaults if `version` is given."""
        check = _Check()
        at = (datetime(1, 1, 1, tzinfo=UTC), UUID(int=0))
        while rows := await db.fetch(SQL.scan_records, name, *at):
            at = (rows[-1]["created_at"], rows[-1]["id"])
            filled = {row["id"]: _filled(row["body"], defaults) for row in rows}
            texts = [filled[row["id"]] or row["body"] for row in rows]
            parsed = [from_json(text) for text in texts]
            for place, found in await validator.misfits(texts, parsed, self._types.checkers):
                check.add(rows[place]["id"], found.path, found.message)
            changed = [row for row in rows if filled[row["id"]]]
            check.checked += len(rows)
            check.updated += len(changed)
            if changed and version and not check.invalid_count:
                await db.fetch(
                    SQL.migrate_records,
                    [row["id"] for row in changed],
                    [row["version"] for row in changed],
                    [filled[row["id"]] for row in changed],
                    *(version, db.actor),
                )
            await progress(check.checked, None, "records checked")
        return check

    async def list(self, cursor: str = "", limit: int = 100) -> Page[TypeSummary]:
        """All types by name."""
        after = decode_cursor(cursor, 1)[0] if cursor else ""
        rows = await self._db.fetch(SQL.list_types)
        items = [
            TypeSummary(
                name=row["schema_name"],
                version=row["version"],
                description=row["description"],
                records=row["records"],
            )
            for row in rows
            if row["schema_name"] > str(after)
        ]
        return page_of(items, limit=limit, position=lambda item: [item.name])

    async def names(self, prefix: str = "") -> Sequence[str]:
        """Names that begin so, in their order."""
        rows = await self._db.fetch(SQL.list_type_names)
        return [row["schema_name"] for row in rows if row["schema_name"].startswith(prefix)]

    async def get(self, name: str, version: int = 0) -> TypeDefinition:
        """A type's definition now, or in an earlier version.

        Raises:
            NotFound: There is no such type, or no such version of it.

        """
        if "\x00" in name:
            raise await unknown_type(self._db, name)
        row = await self._db.fetch_row(SQL.get_type, name)
        if row is None:
            raise await unknown_type(self._db, name)
        if version and version != row["version"]:
            current = row["version"]
            if 0 < version < current:
                row = await self._db.fetch_row(SQL.get_type_version, name, version)
            if row is None or row["version"] != version:
                raise NotFound(f"Type {name} has versions 1 to {current}.")
            return _definition(row)
        found = _definition(row)
        states = await self._keeper.states(self._db, name, found.schema)
        return _definition(row, indexes=states)


async def _checked(name: str, schema: Mapping[str, Any], description: str) -> Validator:
    from undercroft.entities.validation import compile_beside  # noqa: PLC0415 - on first use

    if not _NAME.fullmatch(name):
        raise InvalidInput(
            "A type's name has 1 to 63 characters out of a-z, 0-9 and _, and begins with no digit."
        )
    encode(description, "description")
    if len(description) > MAX_DESCRIPTION:
        raise LimitReached(f"description has more than {MAX_DESCRIPTION} characters.")
    validator = await compile_beside(schema)
    indexed(schema)
    searched(schema)
    return validator


def _filled(body: str, defaults: Mapping[str, Any]) -> str | None:
    """The record with the defaults that it lacks; None: it lacks none."""
    if not defaults:
        return None
    data = from_json(body)
    if defaults.keys() <= data.keys():
        return None
    return encode({**defaults, **data})


def _defined(name: str, version: int, outcome: str, check: _Check, *, dry_run: bool) -> TypeDefined:
    return TypeDefined(
        name=name,
        version=version,
        outcome=outcome,
        checked=check.checked,
        updated=check.updated,
        dry_run=dry_run or None,
        invalid=check.invalid if dry_run else None,
        invalid_count=check.invalid_count if dry_run else None,
    )


def _would_not_fit(name: str, check: _Check) -> Conflict:
    first = check.invalid[0]
    return Conflict(
        f"{check.invalid_count} of {check.checked} records would not fit the new {name}: "
        f"{first['id']} {first['path'] or 'data'} {first['message']}",
        hint="Give defaults for fields they lack, or change the records first.",
        data={"invalid": check.invalid, "invalid_count": check.invalid_count},
    )


def _definition(row: Mapping[str, Any], indexes: Any = None) -> TypeDefinition:
    return TypeDefinition(
        name=row["schema_name"],
        version=row["version"],
        description=row["description"],
        schema=from_json(row["definition"]),
        created_by=row["created_by"],
        created_at=row["created_at"],
        indexes=indexes,
    )


async def install_builtin_types(db: Database) -> None:
    """Give a project the types that come with the program, unless somebody has changed them.

    One statement when nothing is to do. A definition that was ever installed is not installed
    again, so that an older program does not take back what a newer one has brought.
    """
    from undercroft.resources import resources  # noqa: PLC0415 - not for listing tools

    files = sorted((resources("schemas") / "core").glob("*.json"))
    builtin = {path.stem: path.read_text("utf-8") for path in files}
    rows = await db.fetch(SQL.match_types, list(builtin), list(builtin.values()), BUILT_IN)
    missing = builtin.keys() - {row["name"] for row in rows}
    acting = db.acting_as(BUILT_IN)
    for name in sorted(missing):
        schema = from_json(builtin[name])
        try:
            await EntityTypes(acting).define(name, schema, schema.get("description", ""))
        except UndercroftError as error:
            log.warning("builtin_type_not_installed", type=name, error=error.code)
    if missing:
        await db.cached(IndexKeeper).settled()
