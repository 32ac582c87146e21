"""A bar for work that takes long."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from undercroft.progress import Progress, silent


@asynccontextmanager
async def progress_bar(title: str, *, shown: bool) -> AsyncIterator[Progress]:
    """A bar on a terminal, silence elsewhere."""
    if not (shown and sys.stderr.isatty()):
        yield silent
        return
    from rich.console import Console  # noqa: PLC0415 - 60 ms that no pipe needs
    from rich.progress import Progress as Bar  # noqa: PLC0415

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        async def progress(done: float, total: float | None = None, message: str = "") -> None:
            bar.update(task, completed=done, total=total, description=f"{title} {message}")

        yield progress
