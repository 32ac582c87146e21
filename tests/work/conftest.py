"""The work room over a project of the test's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from undercroft.app import App
from undercroft.work.models import Written
from undercroft.work.service import Work

Make = Callable[..., Awaitable[str]]
Call = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
async def work(app: App, project: str) -> Work:
    return await app.work(project, "test")


@pytest.fixture
async def sql(app: App, project: str, connect: Callable[..., Any]) -> asyncpg.Connection:
    """A bare SQL client of the project, as the application's role."""
    connection: asyncpg.Connection = await connect((await app.open(project)).database.name)
    return connection


@pytest.fixture
async def owner(app: App, project: str, connect: Callable[..., Any]) -> asyncpg.Connection:
    """The owner of the tables, who may analyse them."""
    connection: asyncpg.Connection = await connect((await app.open(project)).database.name)
    name = await connection.fetchval(
        "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'work_items'"
    )
    await connection.execute(f"SET ROLE {name}")
    return connection


@pytest.fixture
async def other(app: App, project: str, connect: Callable[..., Any]) -> asyncpg.Connection:
    """Another one."""
    connection: asyncpg.Connection = await connect((await app.open(project)).database.name)
    return connection


@pytest.fixture
def make(work: Work) -> Make:
    """Make an item; its id."""

    async def make(title: str, parent: str = "", **fields: Any) -> str:
        return (await work.create(title, parent, fields)).id

    return make


@pytest.fixture
def move(work: Work) -> Callable[..., Awaitable[Written]]:
    """Move an item from where it is now."""

    async def move(item: str, **where: str) -> Written:
        return await work.move(item, version=(await work.get(item)).version, **where)

    return move
