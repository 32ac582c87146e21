"""Rows and values of records, and why a write touched none."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from undercroft.db.queries import load_queries
from undercroft.entities.models import EntityRecord, Written
from undercroft.entities.recent import Recent
from undercroft.errors import Conflict, InvalidInput, NotFound, Unavailable, UndercroftError

SQL = load_queries(__package__)

Row = Mapping[str, Any]


def record_from(row: Row) -> EntityRecord:
    """A record with all that it has."""
    return EntityRecord(
        id=row["id"],
        type=row["schema_name"],
        version=row["version"],
        data=from_json(row["data"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        created_by=row["created_by"],
        updated_by=row["updated_by"],
        deleted_at=row["deleted_at"],
    )


def base_from(row: Row) -> Recent:
    """A record as the base of a change."""
    return Recent(
        type=row["schema_name"],
        version=row["version"],
        updated_at=row["updated_at"],
        text=row["data"],
    )


def written(entity: UUID, type_name: str, row: Row) -> Written:
    """The answer to a write."""
    return Written(
        id=entity,
        type=type_name,
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def to_patch(data: Any, patch: Any) -> Mapping[str, Any]:
    """The one of the two that was given.

    Raises:
        InvalidInput: Both, none, or no object.

    """
    if (data is None) == (patch is None):
        raise InvalidInput(
            "Give either data (the whole new document) or patch (only what changes).",
            hint="A patch is a JSON merge patch: null removes a field.",
        )
    given = patch if data is None else data
    if not isinstance(given, dict):
        raise InvalidInput("data and patch are JSON objects.")
    return given


def check_version(version: int) -> int:
    """A version that a record can have.

    Raises:
        InvalidInput: It is none.

    """
    if not 0 < version < 2**31 - 1:
        raise InvalidInput("version is the number that the record had when you read it, from 1.")
    return version


def why_not(entity: UUID, row: Row | None, version: int | None = None) -> UndercroftError:
    """Why a record cannot be read or changed in that version."""
    if row is None:
        return NotFound(f"There is no record {entity}.", hint="query_entities finds records.")
    state = {
        "current_version": row["version"],
        "updated_by": row["updated_by"],
        "updated_at": row["updated_at"].isoformat(),
        "deleted": row["deleted_at"] is not None,
    }
    if row["deleted_at"] is not None and version in (None, row["version"]):
        return NotFound(
            f"The record {entity} is deleted.",
            hint=f"restore_entity with version {row['version']} brings it back.",
            data=state,
        )
    return Conflict(
        f"The record is in version {row['version']}, changed by {row['updated_by']}; "
        f"you named {version}.",
        data=state,
    )


def changed_meanwhile(type_name: str) -> Unavailable:
    """The error for a type that changes faster than a record is checked."""
    return Unavailable(f"The type {type_name} was changed again and again meanwhile.")
