"""Undercroft: a private PostgreSQL database per software project, for its coding agents."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.app import App

__version__ = "0.1.0"


@asynccontextmanager
async def open(**settings: Any) -> AsyncIterator["App"]:  # noqa: A001 - read as `undercroft.open`
    """Open the same rooms that agents use, for the length of an `async with` block.

    Settings given here win over the environment and config.toml, which hold as everywhere.
    PostgreSQL is started or joined, and left at the end of the block.

    Raises:
        InvalidInput: A setting does not fit.
        Unavailable: PostgreSQL cannot be reached or started.

    """
    # The package itself must cost nothing to import.
    import structlog  # noqa: PLC0415

    from undercroft.app import open_app  # noqa: PLC0415
    from undercroft.log import configure  # noqa: PLC0415
    from undercroft.settings import load_settings  # noqa: PLC0415

    chosen = load_settings(settings)
    if not structlog.is_configured():
        configure("warning", chosen.log_format)
    async with open_app(chosen) as app:
        await app.ground()
        yield app
