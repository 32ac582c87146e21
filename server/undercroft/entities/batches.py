"""Many records in one change: all or none, and every bad one named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic_core import from_json

from undercroft.entities.changes import merge
from undercroft.entities.documents import encode
from undercroft.entities.models import Batch
from undercroft.entities.recent import RecentRecords
from undercroft.entities.store import (
    SQL,
    Row,
    changed_meanwhile,
    check_version,
    to_patch,
    why_not,
)
from undercroft.entities.types_cache import EntityType, TypeCache
from undercroft.errors import Conflict, InvalidInput, LimitReached, NotFound, UndercroftError
from undercroft.progress import Progress, silent

if TYPE_CHECKING:
    from undercroft.db.database import Database

MAX_BATCH = 500
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_NAMED = 20
"""Bad records that an error names one by one."""

TURNS = 5

REPORT_EVERY = 50
"""Records between two reports of progress."""


@dataclass(frozen=True, kw_only=True)
class _Change:
    """One entry of update_entities, checked for form."""

    id: UUID
    version: int
    data: Mapping[str, Any] | None
    patch: Mapping[str, Any] | None


@dataclass(kw_only=True)
class _Faults:
    """What is wrong with a batch, by index."""

    found: list[tuple[int, UndercroftError]] = field(default_factory=list)

    def add(self, index: int, error: UndercroftError) -> None:
        self.found.append((index, error))

    def refuse(self) -> None:
        """Raise if there are any: a Conflict if each is one, InvalidInput otherwise."""
        if not self.found:
            return
        index, first = self.found[0]
        kinds = {type(error) for _, error in self.found}
        kind = kinds.pop() if kinds in ({Conflict}, {NotFound}) else InvalidInput
        raise kind(
            f"{len(self.found)} of the batch cannot be stored, so none was."
            f" [{index}]: {first.message}",
            hint=first.hint,
            data={
                "errors": [
                    {"index": at, "message": error.message, **error.data}
                    for at, error in self.found[:MAX_NAMED]
                ],
                "error_count": len(self.found),
            },
        )


async def create(
    db: Database,
    type_name: str,
    records: Sequence[Mapping[str, Any]],
    progress: Progress = silent,
) -> Batch:
    """Store new records of one type, in their order.

    Raises:
        InvalidInput: Some do not fit; `data.errors` has the index of each.

    """
    _check_size(records)
    types = db.cached(TypeCache)
    kind = await types.get(db, type_name)
    texts = await _encoded(records)
    for _ in range(TURNS):
        faults = _Faults()
        for index, (data, text) in enumerate(zip(records, texts, strict=True)):
            await _check(types, kind, index, data, text, faults)
            if index % REPORT_EVERY == REPORT_EVERY - 1:
                await progress(index + 1, len(records), "checked")
        faults.refuse()
        rows = await db.fetch(SQL.insert_entities, kind.name, kind.version, texts, db.actor)
        if rows:
            return Batch(items=[_brief(row) for row in rows])
        kind = await types.reload(db, type_name)
    raise changed_meanwhile(type_name)


async def update(db: Database, changes: Sequence[Mapping[str, Any]]) -> Batch:
    """Change records, all or none.

    Raises:
        Conflict: All that fail are no longer in the version named.
        InvalidInput: Some do not fit; `data.errors` has the index of each.

    """
    _check_size(changes)
    parsed = _parsed(changes)
    recent = db.cached(RecentRecords)
    for change in parsed:
        recent.forget(change.id)
    types = db.cached(TypeCache)
    for _ in range(TURNS):
        async with db.transaction() as bound:
            rows = await _write(bound, types, parsed)
        if rows is not None:
            return Batch(items=[_brief(rows[change.id]) for change in parsed])
    raise changed_meanwhile("of these records")


async def _write(
    db: Database, types: TypeCache, changes: Sequence[_Change]
) -> Mapping[UUID, Row] | None:
    locked = {row["id"]: row for row in await db.fetch(SQL.lock_entities, [c.id for c in changes])}
    kinds = {
        name: await types.get(db, name) for name in {row["schema_name"] for row in locked.values()}
    }
    faults = _Faults()
    texts: list[str] = []
    size = 0
    for index, change in enumerate(changes):
        row = locked.get(change.id)
        if row is None or row["version"] != change.version or row["deleted_at"] is not None:
            faults.add(index, why_not(change.id, row, change.version))
            continue
        new = change.data if change.patch is None else merge(from_json(row["data"]), change.patch)
        texts.append(encode(new, f"[{index}]"))
        size += len(texts[-1])
        _check_total(size)
        await _check(types, kinds[row["schema_name"]], index, new, texts[-1], faults)
    faults.refuse()
    rows = await db.fetch(
        SQL.update_entities,
        *([c.id for c in changes], [c.version for c in changes], texts),
        *([kind.name for kind in kinds.values()], [kind.version for kind in kinds.values()]),
        db.actor,
    )
    if len(rows) == len(changes):
        return {row["id"]: row for row in rows}
    if rows:
        raise changed_meanwhile("of some records")  # rolls the others back
    for name in kinds:
        types.forget(name)
    return None


async def _check(  # noqa: PLR0913, PLR0917 - one record with where it stands
    types: TypeCache, kind: EntityType, index: int, data: Any, text: str, faults: _Faults
) -> None:
    try:
        await types.check(kind, data, text, f"[{index}]")
    except InvalidInput as error:
        faults.add(index, error)
    await asyncio.sleep(0)


async def _encoded(records: Sequence[Mapping[str, Any]]) -> list[str]:
    texts: list[str] = []
    size = 0
    for index, record in enumerate(records):
        if not isinstance(record, dict):
            raise InvalidInput(f"[{index}] is not a JSON object.")
        texts.append(encode(record, f"[{index}]"))
        size += len(texts[-1])
        _check_total(size)
        if index % 50 == 0:
            await asyncio.sleep(0)
    return texts


def _check_total(size: int) -> None:
    if size > MAX_BATCH_BYTES:
        raise LimitReached(
            f"The batch has more than {MAX_BATCH_BYTES} bytes.", hint="Send it in parts."
        )


def _parsed(changes: Sequence[Mapping[str, Any]]) -> list[_Change]:
    parsed: list[_Change] = []
    seen: set[UUID] = set()
    for index, change in enumerate(changes):
        try:
            one = _one_change(change)
        except UndercroftError as error:
            raise InvalidInput(f"[{index}]: {error.message}", hint=error.hint) from None
        if one.id in seen:
            raise InvalidInput(f"[{index}] names a record that an earlier entry names too.")
        seen.add(one.id)
        parsed.append(one)
    return parsed


def _one_change(change: Mapping[str, Any]) -> _Change:
    if not isinstance(change, dict) or set(change) - {"id", "version", "data", "patch"}:
        raise InvalidInput("A change is {id, version, data} or {id, version, patch}.")
    to_patch(change.get("data"), change.get("patch"))
    version = change.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise InvalidInput("version is missing, or not a number.")
    given = change.get("id")
    try:
        entity = given if isinstance(given, UUID) else UUID(given)
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput("id is missing, or not a UUID.") from None
    return _Change(
        id=entity,
        version=check_version(version),
        data=change.get("data"),
        patch=change.get("patch"),
    )


def _check_size(items: Sequence[Any]) -> None:
    if not 1 <= len(items) <= MAX_BATCH:
        raise InvalidInput(f"A batch has 1 to {MAX_BATCH} entries; this one has {len(items)}.")


def _brief(row: Row) -> dict[str, Any]:
    return {"id": str(row["id"]), "version": row["version"]}
