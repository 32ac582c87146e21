"""The secrets room over a project of the test's own, and a bare SQL client of its database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from undercroft.app import App
from undercroft.secrets.service import Secrets


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
