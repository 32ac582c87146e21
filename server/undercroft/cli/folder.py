"""The project of a folder, which a command makes on first use."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from undercroft.checkout import checkout_of
from undercroft.cli.terminal import plain
from undercroft.errors import InvalidInput
from undercroft.projects.service import name_from

if TYPE_CHECKING:
    from pathlib import Path

    from undercroft.app import App


async def project_of(app: App, root: Path) -> str:
    """The name of the project that the folder belongs to.

    A linked worktree belongs to that of its main checkout. Where there is none, one is made and
    the person is told so.

    Raises:
        InvalidInput: Several projects have it as their root.

    """
    try:
        return await app.named("", root)
    except InvalidInput:
        main = checkout_of(root).main
        if app.settings.project or await (await app.projects("cli")).has_root(str(main)):
            raise
        return await _made(app, main)


async def _made(app: App, root: Path) -> str:
    """A project for the folder, under a free name like its own."""
    projects = await app.projects("cli")
    wanted = name_from(root.name)[:40]
    taken = {item.name for state in ("", "archived") for item in await projects.every(state)}
    name = next(
        name
        for number in range(1, 10_000)
        if (name := wanted if number == 1 else f"{wanted}_{number}") not in taken
    )
    await projects.create(name, f"Code of {root.name}", str(root))
    print(f"Made the project {name} for the folder {plain(root.name)}.", file=sys.stderr)
    return name
