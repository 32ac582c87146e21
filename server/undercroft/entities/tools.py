"""Typed records as tools."""

from typing import Any
from uuid import UUID

from undercroft.entities.models import (
    Batch,
    EntityRecord,
    HistoryEntry,
    TypeDefined,
    TypeDefinition,
    TypeSummary,
    Written,
)
from undercroft.entities.service import Entities
from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page

tools = Toolset("entities")

Json = dict[str, Any]


@tools.write(idempotent=True)
async def define_entity_type(  # noqa: PLR0913, PLR0917 - what a definition consists of
    entities: Entities,
    name: str,
    schema: Json,
    description: str = "",
    defaults: Json = {},  # noqa: B006 - read for the schema, never changed
    dry_run: bool = False,
) -> TypeDefined:
    """Make or change a type.

    schema: JSON Schema 2020-12; x-indexed: fields (or lists of them) to filter and sort by; x-text:
    fields to search. Refused if stored records would not fit; `defaults` fills fields they lack.
    """
    return await entities.types.define(name, schema, description, defaults, dry_run=dry_run)


@tools.read
async def list_entity_types(entities: Entities, cursor: str = "") -> Page[TypeSummary]:
    """List types."""
    return await entities.types.list(cursor)


@tools.read
async def get_entity_type(entities: Entities, name: str, version: int = 0) -> TypeDefinition:
    """Show a type's schema, now or in a version."""
    return await entities.types.get(name, version)


@tools.write
async def create_entity(entities: Entities, type: str, data: Json) -> Written:  # noqa: A002 - the agent's word
    """Store a record; returns id and version."""
    return await entities.create(type, data)


@tools.write
async def create_entities(entities: Entities, type: str, records: list[Json]) -> Batch:  # noqa: A002 - the agent's word
    """Store up to 500 records, all or none."""
    return await entities.create_many(type, records)


@tools.read
async def get_entity(
    entities: Entities,
    id: UUID,  # noqa: A002 - the agent's word
    fields: list[str] = [],  # noqa: B006 - never changed
    include_deleted: bool = False,
) -> EntityRecord:
    """Read a record."""
    return await entities.get(id, fields, include_deleted=include_deleted)


@tools.write
async def update_entity(
    entities: Entities,
    id: UUID,  # noqa: A002 - the agent's word
    version: int,
    data: Json = {},  # noqa: B006 - never changed
    patch: Json = {},  # noqa: B006 - never changed
) -> Written:
    """Change a record by `patch` (JSON merge patch, null removes) or the whole `data`.

    `version` is the one you read; on conflict read again and decide anew.
    """
    return await entities.update(id, version, data or None, patch or None)


@tools.write
async def update_entities(entities: Entities, changes: list[Json]) -> Batch:
    """Change up to 500 records, all or none: {id, version, data | patch}."""
    return await entities.update_many(changes)


@tools.write(destructive=True)
async def delete_entity(entities: Entities, id: UUID, version: int) -> Written:  # noqa: A002 - the agent's word
    """Delete a record; restore_entity brings it back."""
    return await entities.delete(id, version)


@tools.write
async def restore_entity(entities: Entities, id: UUID, version: int) -> Written:  # noqa: A002 - the agent's word
    """Bring a deleted record back."""
    return await entities.restore(id, version)


@tools.read
async def query_entities(  # noqa: PLR0913, PLR0917 - what a query consists of
    entities: Entities,
    type: str,  # noqa: A002 - the agent's word
    where: Json = {},  # noqa: B006 - never changed
    text: str = "",
    sort: list[str] = [],  # noqa: B006 - never changed
    limit: int = 50,
    cursor: str = "",
    fields: list[str] = [],  # noqa: B006 - never changed
    count: bool = False,
    include_deleted: bool = False,
) -> Page[EntityRecord]:
    """Find records.

    where: {"status":"open","n":{"gte":1},"tags":{"contains":"x"},"or":[{…}],"not":{…}}; also eq ne
    lt lte gt in nin like exists; a.b reaches inside. text: words. sort: ["-due_date"].
    """
    return await entities.query(
        type,
        where=where,
        text=text,
        sort=sort,
        limit=limit,
        cursor=cursor,
        fields=fields,
        count=count,
        include_deleted=include_deleted,
    )


@tools.read
async def get_entity_history(
    entities: Entities,
    id: UUID,  # noqa: A002 - the agent's word
    limit: int = 20,
    cursor: str = "",
) -> Page[HistoryEntry]:
    """Who changed what and when, with old and new values."""
    return await entities.history(id, limit, cursor)


@tools.write
async def undo(
    entities: Entities,
    id: UUID,  # noqa: A002 - the agent's word
    version: int,
    to_version: int = 0,
) -> Written:
    """Take back the change that made `version`, or all after to_version."""
    return await entities.undo(id, version, to_version)
