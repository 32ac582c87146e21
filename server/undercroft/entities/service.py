"""Records: every rule about creating, reading, changing and deleting them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import from_json

from undercroft.entities import batches, history, search
from undercroft.entities.changes import merge
from undercroft.entities.documents import encode
from undercroft.entities.models import (
    Batch,
    EntityRecord,
    HistoryEntry,
    Overview,
    RecentChange,
    Written,
)
from undercroft.entities.recent import Recent, RecentRecords
from undercroft.entities.store import (
    SQL,
    base_from,
    changed_meanwhile,
    check_version,
    record_from,
    to_patch,
    why_not,
    written,
)
from undercroft.entities.types_cache import TypeCache
from undercroft.entities.types_service import EntityTypes, install_builtin_types
from undercroft.errors import Conflict, NotFound
from undercroft.paging import Page
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database

__all__ = ["Entities", "install_builtin_types"]

TURNS = 5
"""How often a write begins anew because its type changed under it."""

RECENT_CHANGES = 20
"""How many changes an overview shows."""


class Entities:
    """The records of one project."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._types = db.cached(TypeCache)
        self._recent = db.cached(RecentRecords)

    @property
    def types(self) -> EntityTypes:
        """The types of these records."""
        return EntityTypes(self._db)

    async def create(self, type_name: str, data: Mapping[str, Any]) -> Written:
        """Store a new record.

        Raises:
            NotFound: There is no such type.
            InvalidInput: The data does not fit it.

        """
        text = encode(data)
        kind = await self._types.get(self._db, type_name)
        for _ in range(TURNS):
            await self._types.check(kind, data, text)
            row = await self._db.fetch_row(
                SQL.insert_entity, kind.name, kind.version, text, self._db.actor
            )
            if row is not None:
                return self._note(row["id"], kind.name, row, text)
            kind = await self._types.reload(self._db, type_name)
        raise changed_meanwhile(type_name)

    async def create_many(
        self,
        type_name: str,
        records: Sequence[Mapping[str, Any]],
        progress: Progress = silent,
    ) -> Batch:
        """Store new records of one type, all or none; errors name the index of each bad one."""
        return await batches.create(self._db, type_name, records, progress)

    async def get(
        self, entity: UUID, fields: Sequence[str] = (), *, include_deleted: bool = False
    ) -> EntityRecord:
        """A record, with all of its data or only the chosen fields.

        Raises:
            NotFound: There is none, or it is deleted.

        """
        row = await self._db.fetch_row(SQL.get_entity, entity)
        if row is None or (row["deleted_at"] is not None and not include_deleted):
            raise why_not(entity, row)
        if row["deleted_at"] is None:
            self._recent.keep(row["id"], base_from(row))
        record = record_from(row)
        if not fields:
            return record
        kind = await self._types.get(self._db, row["schema_name"])
        return search.chosen(record, fields, kind.definition)

    async def update(
        self,
        entity: UUID,
        version: int,
        data: Mapping[str, Any] | None = None,
        patch: Mapping[str, Any] | None = None,
    ) -> Written:
        """Replace a record's data, or change it by JSON merge patch (RFC 7396).

        Raises:
            Conflict: The record is no longer in that version.
            NotFound: There is no such record, or it is deleted.
            InvalidInput: The result does not fit the type.

        """
        version = check_version(version)
        change = to_patch(data, patch)
        base = self._recent.get(entity)
        if base is None or (patch is not None and base.version != version):
            base = await self._base(entity, version)
        for _ in range(TURNS):
            new = change if patch is None else merge(from_json(base.text), change)
            if done := await self._replace(entity, version, base, new, patched=patch is not None):
                return done
            base = await self._base(entity, version)
            self._types.forget(base.type)
        raise changed_meanwhile(base.type)

    async def _replace(
        self, entity: UUID, version: int, base: Recent, new: Any, *, patched: bool
    ) -> Written | None:
        text = encode(new)
        kind = await self._types.get(self._db, base.type)
        await self._types.check(kind, new, text)
        as_read = base.updated_at if patched else None
        row = await self._db.fetch_row(
            SQL.update_entity,
            *(entity, version, kind.name, kind.version, text, self._db.actor, as_read),
        )
        return None if row is None else self._note(entity, kind.name, row, text)

    async def _base(self, entity: UUID, version: int) -> Recent:
        """The record that a change is to be made to, if it still is in that version."""
        self._recent.forget(entity)
        row = await self._db.fetch_row(SQL.get_entity, entity)
        if row is None or row["version"] != version or row["deleted_at"] is not None:
            raise why_not(entity, row, version)
        return base_from(row)

    async def update_many(self, changes: Sequence[Mapping[str, Any]]) -> Batch:
        """Change records, all or none: {id, version, data | patch} each."""
        return await batches.update(self._db, changes)

    async def delete(self, entity: UUID, version: int) -> Written:
        """Delete a record; its history stays, and it can be restored.

        Raises:
            Conflict: The record is no longer in that version.

        """
        version = check_version(version)
        self._recent.forget(entity)
        row = await self._db.fetch_row(SQL.delete_entity, entity, version, self._db.actor)
        if row is None:
            raise why_not(entity, await self._db.fetch_row(SQL.get_entity, entity), version)
        return written(entity, row["schema_name"], row)

    async def restore(self, entity: UUID, version: int) -> Written:
        """Bring a deleted record back as it was, if it still fits its type."""
        version = check_version(version)
        row = await self._db.fetch_row(SQL.get_entity, entity)
        if row is None or row["version"] != version:
            raise why_not(entity, row, version)
        if row["deleted_at"] is None:
            raise Conflict("The record is not deleted.", hint="There is nothing to restore.")
        return await self._set(entity, version, row["schema_name"], row["data"])

    async def undo(self, entity: UUID, version: int, to_version: int = 0) -> Written:
        """Take back the change that made the current version, or all since `to_version`.

        Raises:
            Conflict: The record is no longer in that version.
            NotFound: There is no such earlier version.

        """
        version = check_version(version)
        row = await self._db.fetch_row(SQL.get_entity, entity)
        if row is None or row["version"] != version:
            raise why_not(entity, row, version)
        target = to_version or version - 1
        if target == 0:
            # Before its first version a record did not exist: its creation is undone by deleting.
            return await self._set(
                entity, version, row["schema_name"], row["data"], deleted=True, undone=True
            )
        then = await self._db.fetch_row(SQL.get_version, entity, target)
        if then is None or not 0 < target < version:
            raise NotFound(
                f"The record has no earlier version {target}.", hint="See get_entity_history."
            )
        return await self._set(
            entity,
            version,
            row["schema_name"],
            then["data"],
            deleted=then["deleted"],
            undone=True,
        )

    async def _set(  # noqa: PLR0913 - what a record is
        self,
        entity: UUID,
        version: int,
        type_name: str,
        text: str,
        *,
        deleted: bool = False,
        undone: bool = False,
    ) -> Written:
        self._recent.forget(entity)
        for _ in range(TURNS):
            kind = await self._types.get(self._db, type_name)
            if not deleted:
                await self._types.check(kind, from_json(text), text, f"version {version}'s data")
            row = await self._db.fetch_row(
                SQL.set_entity,
                *(entity, version, type_name, None if deleted else kind.version, text),
                *(deleted, self._db.actor, undone),
            )
            if row is not None:
                return written(entity, type_name, row)
            now = await self._db.fetch_row(SQL.get_entity, entity)
            if now is None or now["version"] != version:
                raise why_not(entity, now, version)
            self._types.forget(type_name)
        raise changed_meanwhile(type_name)

    async def query(self, type_name: str, **wanted: Any) -> Page[EntityRecord]:
        """Records of one type; the keywords are those of `search.Request`."""
        return await search.query(self._db, search.Request(type=type_name, **wanted))

    async def overview(self) -> Overview:
        """The project's types with their numbers of records, and its latest changes."""
        types = await self.types.list()
        rows = await self._db.fetch(SQL.list_recent_changes, RECENT_CHANGES)
        changes = [
            RecentChange(
                id=row["entity_id"],
                type=row["schema_name"],
                version=row["version"],
                operation=row["operation"],
                changed_by=row["changed_by"],
                changed_at=row["changed_at"],
            )
            for row in rows
        ]
        return Overview(types=types.items, changes=changes)

    async def history(self, entity: UUID, limit: int = 20, cursor: str = "") -> Page[HistoryEntry]:
        """What happened to a record, newest first."""
        return await history.read(self._db, entity, limit, cursor)

    def _note(self, entity: UUID, type_name: str, row: Any, text: str) -> Written:
        self._recent.keep(
            entity,
            Recent(type=type_name, version=row["version"], updated_at=row["updated_at"], text=text),
        )
        return written(entity, type_name, row)
