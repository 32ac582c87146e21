"""The program of forks, and clearing away what it leaves."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

Drop = Callable[[asyncpg.Connection, str], Awaitable[None]]
Forks = Callable[..., Awaitable[list[dict[str, Any]]]]


async def run(order: dict[str, Any]) -> list[dict[str, Any]]:
    """The program's answer to an order."""
    here = Path(__file__)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(here.with_name("forks.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(here.parents[2] / "server")},
    )
    try:
        said, complained = await process.communicate(json.dumps(order).encode())
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, complained.decode()[-4000:]
    answer: list[dict[str, Any]] = json.loads(said)
    return answer


async def clear(admin: asyncpg.Connection, drop: Drop, prefix: str, registry: str) -> None:
    """Drop the databases and roles that the forks made."""
    for row in await admin.fetch(
        "SELECT datname FROM pg_database WHERE starts_with(datname, $1) "
        "OR starts_with(datname, $2) OR starts_with(datname, $3) ORDER BY datname",
        f"project_{prefix}",
        f"undercroft_template_{prefix}",
        f"{registry}_",
    ):
        await drop(admin, row[0])
    for row in await admin.fetch(
        "SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)", f"project_{prefix}"
    ):
        await admin.execute(f'DROP ROLE "{row[0]}"')


@pytest.fixture
async def forks(settings, connect, drop: Drop) -> AsyncIterator[Forks]:
    """Run `forks.py` with an order; its answer."""
    prefix = f"f{settings.registry_database[-8:]}_"

    async def forks(**order: Any) -> list[dict[str, Any]]:
        order = {"first": 1, "stride": 1, "registry": settings.registry_database} | order
        order |= {
            "home": str(settings.home),
            "database_url": settings.database_url,
            "prefix": prefix,
        }
        return await run(order)

    yield forks
    await clear(await connect("postgres"), drop, prefix, settings.registry_database)
