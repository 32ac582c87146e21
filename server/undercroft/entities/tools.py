"""Typed records as tools."""

from typing import Any
from uuid import UUID

from undercroft.entities.models import (
    Batch,
    EntityRecord,
    HistoryEntry,
    Overview,
    TypeDefined,
    TypeDefinition,
    TypeSummary,
    Written,
)
from undercroft.entities.service import Entities
from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.progress import Progress

tools = Toolset("entities")

Json = dict[str, Any]


@tools.write(idempotent=True)
async def define_entity_type(  # noqa: PLR0913, PLR0917 - what a definition consists of
    entities: Entities,
    progress: Progress,
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
    return await entities.types.define(
        name, schema, description, defaults, dry_run=dry_run, progress=progress
    )


@tools.read
async def list_entity_types(entities: Entities, cursor: str = "") -> Page[TypeSummary]:
    """List types."""
    return await entities.types.list(cursor)


@tools.read
async def get_entity_type(entities: Entities, name: str, version: int = 0) -> TypeDefinition:
    """Show a type's schema."""
    return await entities.types.get(name, version)


@tools.write
async def create_entity(entities: Entities, type: str, data: Json) -> Written:  # noqa: A002 - the agent's word
    """Store a record; returns id and version."""
    return await entities.create(type, data)


@tools.write
async def create_entities(
    entities: Entities,
    progress: Progress,
    type: str,  # noqa: A002 - the agent's word
    records: list[Json],
) -> Batch:
    """Store up to 500 records, all or none."""
    return await entities.create_many(type, records, progress)


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


@tools.resource("undercroft://project/{project}/overview", name="overview")
async def overview(entities: Entities) -> Overview:
    """What the project keeps: its types, how many records of each, the latest changes."""
    return await entities.overview()


@tools.resource("undercroft://project/{project}/types/{type}", name="type")
async def entity_type(entities: Entities, type: str) -> TypeDefinition:  # noqa: A002 - as in the URI
    """An entity type: its JSON Schema, its version, the state of its indexes."""
    return await entities.types.get(type)


@tools.completes("type")
async def complete_type(entities: Entities, prefix: str) -> list[str]:
    """Type names that begin so."""
    return list(await entities.types.names(prefix))


@tools.prompt
def start_work(project: str = "") -> str:
    """Begin a session: see what the project keeps and what is open."""
    place = f"the project {project}" if project else "the project of this folder"
    named = f' with project="{project}"' if project else ""
    return (
        f"Find out where {place} stands before you change anything.\n"
        f"1. list_entity_types{named}: what is kept here.\n"
        f'2. query_entities{named} type="task" where={{"status":{{"in":["in_progress","blocked",'
        '"pending"]}} sort=["due_date"]: what is open.\n'
        "3. Tell me in five lines what is in progress, what is blocked and what you would do "
        "next. Wait for my answer.\n"
        "While you work, keep each task's status true: update_entity with the version you read."
    )


@tools.prompt
def design_type(purpose: str, project: str = "") -> str:
    """Turn a description in words into an entity type, tried before it is made."""
    named = f' with project="{project}"' if project else ""
    return (
        f"I want to keep records of this: {purpose}\n"
        f"1. list_entity_types{named}: if a type fits already, say so and stop.\n"
        "2. Draft a JSON Schema (2020-12): few fields, `required` only where a record makes no "
        "sense without, `enum` for states, format date-time for instants, x-indexed for what "
        "will be filtered or sorted, x-text for what will be searched. Show it to me.\n"
        f"3. When I agree: define_entity_type{named} with dry_run=true, then without.\n"
        "4. Store one example record and read it back."
    )
