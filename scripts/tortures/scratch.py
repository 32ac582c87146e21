"""A PostgreSQL of the run's own that may be killed, and everything that is to be ended with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from undercroft.app import App, open_app
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.log import configure
from undercroft.settings import Settings


@dataclass(kw_only=True)
class Scratch:
    """One home with one server in it."""

    home: Path
    fault: str = ""
    started: list[int] = field(default_factory=list)
    """Processes to end with the run, whatever happens."""

    def __post_init__(self) -> None:
        self.postgres = EmbeddedPostgres(self.home)

    def settings(self, **changes: Any) -> Settings:
        """Settings that name the server."""
        return Settings(home=self.home, key_folder=self.keys, toolsets="all", **changes)

    @property
    def keys(self) -> Path:
        """Folder of the keys that protect secrets: theirs, and not the user's."""
        return self.home.parent / "keys"

    async def connect(self, database: str = "postgres", user: str = "postgres") -> Any:
        """A bare connection, as the superuser by default; the server is mended for it."""
        address = await self.postgres.address()
        while True:
            try:
                return await asyncpg.connect(
                    host=address.host, port=address.port, user=user, database=database, ssl=False
                )
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
                await self.postgres.recover()
                address = await self.postgres.address()

    @asynccontextmanager
    async def asked(self, database: str = "postgres") -> AsyncIterator[Any]:
        """A bare connection for the length of the block."""
        connection = await self.connect(database)
        try:
            yield connection
        finally:
            connection.terminate()

    async def configure(self, **options: str) -> None:
        """Set options of the server, and start it anew with them."""
        async with self.asked() as admin:
            for name, value in options.items():
                await admin.execute(f"ALTER SYSTEM SET {name} = {value}")
        await self.postgres.stop(force=True)
        await self.postgres.recover()

    async def kill_postgres(self) -> int:
        """Kill the postmaster and all its children at once; how many processes there were."""
        pid = (await self.postgres.status()).pid
        if pid is None or not psutil.pid_exists(pid):
            return 0
        with contextlib.suppress(psutil.NoSuchProcess):
            postmaster = psutil.Process(pid)
            # Stopped first, so that it can neither notice nor start anything meanwhile.
            postmaster.send_signal(signal.SIGSTOP)
            group = [*postmaster.children(recursive=True), postmaster]
            for process in group:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return len(group)
        return 0

    @asynccontextmanager
    async def app(self, **changes: Any) -> AsyncIterator[App]:
        """The application in this process."""
        async with open_app(self.settings(**changes)) as app:
            yield app

    async def end(self) -> None:
        """End every process of the run, then the server, then the folder."""
        for pid in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        data = (await self.postgres.status()).data
        await self.kill_postgres()
        await self.postgres.close()
        shutil.rmtree(Path(data).parent if data else self.home, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


@asynccontextmanager
async def scratch(fault: str = "") -> AsyncIterator[Scratch]:
    """A home of the run's own; nothing of it is left afterwards."""
    configure("error", "json")
    folder = _open_folder()
    scratch = Scratch(home=folder / "home", fault=fault)
    try:
        yield scratch
    finally:
        await asyncio.shield(scratch.end())
        shutil.rmtree(folder, ignore_errors=True)


def _open_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="undercroft-torture-"))
    # Under root PostgreSQL runs as another user; where it cannot enter, its data lies elsewhere.
    folder.chmod(0o755)
    return folder
