"""What every check is made of: a name, whether it held, and what was seen."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 180.0
"""Seconds for one command of a client; the first ones download it."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that a foreign client has tried."""

    name: str
    held: bool
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where clients work: a home of their own, and nothing of the user's."""

    folder: Path
    cache: Path
    quick: bool

    @property
    def environment(self) -> dict[str, str]:
        """The environment of clients and servers."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("UNDERCROFT_", "CLAUDE"))}
        home = self.folder / "home"
        return kept | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "npm_config_cache": str(self.cache),
            "npm_config_update_notifier": "false",
            "npm_config_fund": "false",
        }

    @property
    def code(self) -> Path:
        """A folder with code to be searched."""
        return self.folder / "code"

    @property
    def server_settings(self) -> dict[str, str]:
        """What a server needs to keep to the bench."""
        return {
            "UNDERCROFT_HOME": str(self.folder / "undercroft"),
            "UNDERCROFT_KEY_PROVIDER": "file",
            "UNDERCROFT_KEY_FOLDER": str(self.folder / "keys"),
            "UNDERCROFT_LOG_FORMAT": "json",
            "UNDERCROFT_TOOLSETS": "all",
            "UNDERCROFT_INDEX_ROOTS": str(self.code),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }


Part = Callable[[Bench], AsyncIterator[Check]]

SERVER = (sys.executable, "-m", "undercroft")
"""The command line of the server under test."""


async def output_of(
    command: Sequence[str], environment: Mapping[str, str], folder: Path
) -> tuple[int, str, str]:
    """Run a command to its end: exit status, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


def last_words(text: str) -> str:
    """The last line that says something, for a person."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
