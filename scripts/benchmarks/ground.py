"""A PostgreSQL of the run's own, and the two ways to it: our whole road and the bare driver."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import asyncpg

from undercroft.app import App, open_app
from undercroft.log import configure
from undercroft.mcp.call import Caller
from undercroft.settings import Settings

CALLER = Caller(actor="bench", transport="bench")

DOCUMENT: dict[str, Any] = {
    "title": "Bring the retry policy in line with the gateway",
    "status": "pending",
    "priority": "high",
    "description": "The client retries five times without a pause; the gateway allows three a "
    "second. Read the limit from the response and back off with jitter.",
    "assignee": "ada",
    "tags": ["network", "reliability"],
    "due_date": "2026-11-30T12:00:00Z",
}
"""A record of the built-in type `task`, as an agent would write it: about 400 bytes."""


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A folder of the run's own, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="undercroft-bench-"))
    # Under root PostgreSQL runs as another user; where it cannot enter, its data lies elsewhere.
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def scratch_app() -> AsyncIterator[App]:
    """The application over an embedded PostgreSQL of its own, its log written to a real file."""
    with scratch_home() as home, (home / "bench.log").open("w") as log, redirect_stderr(log):
        configure("info", "json")
        settings = Settings(
            home=home / "data", key_provider="file", key_folder=home / "keys", toolsets="all"
        )
        async with open_app(settings) as app:
            yield app


async def ask(app: App, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """One call over the whole road but the transport.

    Raises:
        RuntimeError: It failed; a failure must not count as a fast call.

    """
    outcome = await app.boundary.call(tool, arguments, CALLER)
    if outcome.failed:
        raise RuntimeError(f"{tool}: {outcome.text}")
    return outcome.body


async def bare_arguments(app: App, database: str) -> dict[str, Any]:
    """What asyncpg.connect needs to reach the same database as the same role."""
    address = await app.started.source.address()
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "database": database,
        **address.parameters,
    }


@asynccontextmanager
async def bare_connection(app: App, database: str) -> AsyncIterator[asyncpg.Connection]:
    """The driver alone."""
    connection = await asyncpg.connect(**await bare_arguments(app, database))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def bare_pool(app: App, database: str, size: int) -> AsyncIterator[asyncpg.Pool]:
    """The driver's own pool, relieved of its reset on release, which costs a round trip."""

    async def keep(_connection: asyncpg.Connection) -> None:
        """Sessions carry no state here."""

    arguments = await bare_arguments(app, database)
    async with asyncpg.create_pool(min_size=size, max_size=size, reset=keep, **arguments) as pool:
        yield pool
