"""The timing room of a fresh project, and a bare SQL client beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from undercroft.app import App
from undercroft.db.database import Database
from undercroft.timing.models import Task
from undercroft.timing.service import Timing
from undercroft.work.service import Work

Finish = Callable[..., Awaitable[None]]


@pytest.fixture
def timing(project_db: Database) -> Timing:
    return Timing(project_db.acting_as("ada"))


@pytest.fixture
async def sql(app: App, project_db: Database, connect: Callable[..., Any]) -> asyncpg.Connection:
    """A bare SQL client of the project."""
    connection: asyncpg.Connection = await connect(project_db.name)
    return connection


@pytest.fixture
async def work(app: App, project: str) -> Work:
    return await app.work(project, "ada")


@pytest.fixture
def finish(timing: Timing) -> Finish:
    """Tasks that took so many minutes each, finished one after the other."""

    async def finish(*minutes: float, own: float | None = None, **known: Any) -> None:
        for one in minutes:
            await timing.record(Task(own_minutes=own, **{"kind": "bug"} | known), one)

    return finish
