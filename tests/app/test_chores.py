"""What goes on in the background, and ends with the application."""

from __future__ import annotations

import asyncio

import pytest

from undercroft.app import App, ground
from undercroft.app.chores import Chores, tidy
from undercroft.db.database import Database
from undercroft.db.queries import make_query

COUNT = make_query("count_keys", "SELECT count(*) FROM undercroft.idempotency_keys")
ADD = make_query(
    "add_key",
    "INSERT INTO undercroft.idempotency_keys (key, tool, arguments_digest, created_by, created_at) "
    "VALUES ($1, 'tool', '', 'test', now() - $2::text::interval)",
)


async def keys_left(database: Database, wanted: int) -> None:
    """Wait until so many are left."""
    async with asyncio.timeout(20):
        while await database.fetch_value(COUNT) != wanted:
            await asyncio.sleep(0.02)


async def test_an_open_project_loses_its_old_keys_and_keeps_the_young(
    app: App, project: str, project_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await project_db.execute(ADD, "old", "8 days")
    await project_db.execute(ADD, "young", "6 days")
    began: list[str] = []

    async def at_once(database: Database, *_rooms: object) -> None:
        began.append(database.name)
        await tidy(database, after=0)

    monkeypatch.setattr(ground, "tidy", at_once)
    app.started.finder.forget(project)
    await app.open(project)
    await keys_left(project_db, 1)
    assert began == [project_db.name]


async def test_tidying_goes_on_again_and_again(project_db: Database) -> None:
    chores = Chores()
    chores.begin(tidy(project_db, after=0, every=0.05))
    for number in range(3):
        await project_db.execute(ADD, f"old {number}", "8 days")
        await keys_left(project_db, 0)
    await chores.end()


async def test_a_room_forgets_too(project_db: Database) -> None:
    forgotten = asyncio.Event()

    async def forget() -> int:
        forgotten.set()
        return 1

    chores = Chores()
    chores.begin(tidy(project_db, forget, after=0))
    async with asyncio.timeout(10):
        await forgotten.wait()
    await chores.end()


async def test_chores_end_with_what_they_belong_to() -> None:
    chores = Chores()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    chores.begin(work())
    await begun.wait()
    await chores.end()
    assert ended.is_set()
