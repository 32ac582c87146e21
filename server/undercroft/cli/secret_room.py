"""The secrets of the project that the working folder belongs to, for one command."""

from __future__ import annotations

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from undercroft.checkout import top_of
from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.app import App
    from undercroft.secrets.service import Secrets
    from undercroft.settings import Settings


class Room(NamedTuple):
    """A project's secrets while a command runs."""

    app: App
    project: str
    secrets: Secrets


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Room]:
    """The room of the folder's project; who acts is the user, who stands in the access log."""
    from undercroft.app import open_app  # noqa: PLC0415 - once a command needs it
    from undercroft.cli.folder import project_of  # noqa: PLC0415

    configure("warning" if settings.log_level == "info" else settings.log_level, "auto")
    async with open_app(settings) as app:
        project = await project_of(app, top_of(Path.cwd()))
        actor = settings.actor or getpass.getuser()
        yield Room(app, project, await app.secrets(project, actor))


def say(args: argparse.Namespace, body: Any, sentence: str) -> None:
    """Tell a program by JSON, a person by a sentence."""
    print(to_json(body).decode() if args.json else sentence)
