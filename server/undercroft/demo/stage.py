"""Where a demonstration happens: which server is started, and with which home."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import Implementation

from undercroft import __version__
from undercroft.settings import PREFIX, Settings

WORDS_KEPT = 20
"""Lines of the server's log that are shown after a failure."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A place for one demonstration."""

    scratch: Path
    """A folder that is gone afterwards."""
    settings: Settings | None = None
    """The person's own; None: a home in the scratch folder and nothing of theirs."""

    def __post_init__(self) -> None:
        # Root hands PostgreSQL to another user, who has to come this far; the data stays closed.
        self.scratch.chmod(0o711)

    @property
    def home(self) -> Path:
        """The home of the server's PostgreSQL."""
        return self.settings.home if self.settings else self.scratch / "home"

    @property
    def project(self) -> str:
        """A name that is free: among a person's projects each demonstration is one of its own."""
        return f"demo_{datetime.now(UTC):%Y%m%d_%H%M%S}" if self.settings else "demo"

    @property
    def parameters(self) -> StdioServerParameters:
        """The server as a client's configuration names it."""
        passed = {"PYTHONPATH"} & set(os.environ)
        if self.settings:
            passed |= {name for name in os.environ if name.startswith(PREFIX)}
        environment = {name: os.environ[name] for name in passed}
        environment |= {"UNDERCROFT_HOME": str(self.home), "UNDERCROFT_LOG_LEVEL": "warning"}
        if not self.settings:
            # A person's keyring has no part in it.
            environment |= {
                "UNDERCROFT_KEY_PROVIDER": "file",
                "UNDERCROFT_KEY_FOLDER": str(self.scratch / "keys"),
            }
        # The root folder belongs to no project: calls name theirs.
        return StdioServerParameters(
            command=sys.executable, args=["-m", "undercroft"], env=environment, cwd="/"
        )

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A client with a server of its own behind it, which leaves when the client does."""
        with self._log.open("a", encoding="utf-8") as log:
            transport = stdio_client(self.parameters, errlog=log)
            who = Implementation(name="undercroft-demo", version=__version__)
            async with Client(transport, client_info=who) as client:
                yield client

    async def command(self, project: str, *words: str) -> tuple[int, str]:
        """Exit status and output of `undercroft …`, as an agent's shell runs it in `folder`."""
        server = self.parameters
        self.folder.mkdir(exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            server.command,
            *(*server.args, "--project", project, *words),
            env={"PATH": os.environ.get("PATH", os.defpath), **(server.env or {})},
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode("utf-8", "replace")

    @property
    def folder(self) -> Path:
        """Where commands are run."""
        return self.scratch.resolve() / "shop"

    def last_words(self) -> str:
        """The end of the server's log."""
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text("utf-8", "replace").splitlines()[-WORDS_KEPT:])

    @property
    def _log(self) -> Path:
        return self.scratch / "server.log"
