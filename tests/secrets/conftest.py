"""The secrets room over a project of the test's own, and a bare SQL client of its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from undercroft.app import App
from undercroft.secrets.pages import Page, Pages
from undercroft.secrets.service import Secrets

from .safe import ASKED, Safe


@pytest.fixture
async def secrets(app: App, project: str) -> Secrets:
    return await app.secrets(project, "test")


@pytest.fixture
async def sql(app: App, project: str, connect: Callable[..., Any]) -> asyncpg.Connection:
    """A bare SQL client of the project, with the rights of the application."""
    connection: asyncpg.Connection = await connect((await app.open(project)).database.name)
    return connection


@pytest.fixture
async def owner(sql: asyncpg.Connection) -> asyncpg.Connection:
    """The same client with the rights of whoever owns the tables."""
    role = await sql.fetchval(
        "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'vault'"
    )
    await sql.execute(f"SET ROLE {role}")
    return sql


@pytest.fixture
def waiting(sql: asyncpg.Connection) -> Callable[..., Awaitable[None]]:
    """Returns once so many sessions stand at a lock with such a statement.

    `at`: a client of another database than the project's.
    """

    async def until(statement: str, count: int, at: asyncpg.Connection = sql) -> None:
        # The picture of the sessions is else the same for a whole transaction.
        while (
            await at.fetchval(
                "SELECT count(*), pg_stat_clear_snapshot() FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND query LIKE '%' || $1 || '%'",
                statement,
            )
            < count
        ):
            await asyncio.sleep(0.01)

    return until


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    pages = Pages()
    yield pages
    await pages.close()


@pytest.fixture
def safe() -> Safe:
    return Safe()


@pytest.fixture
async def page(pages: Pages, safe: Safe) -> Page:
    return await pages.open(ASKED, safe.keep)
