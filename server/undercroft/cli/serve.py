"""`undercroft serve`, which is also what `undercroft` alone does."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

from undercroft.log import configure

if TYPE_CHECKING:
    import argparse

    from undercroft.settings import Settings


YOUNG = (10_000, 20, 20)
"""Objects between two collections, and how many of these make one of older objects.

A search makes some thousands that refer to each other and are soon gone: at Python's own 700 the
collector would look at them five times before they are, a fifteenth of the search."""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("serve", help="serve MCP (the default command)")
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace, settings: Settings) -> int:
    """Serve until the client leaves."""
    configure(settings.log_level, settings.log_format)
    asyncio.run(_serve(settings))
    return 0


async def _serve(settings: Settings) -> None:
    from undercroft.app.app import TOOLSETS, open_app  # noqa: PLC0415
    from undercroft.mcp.lifetime import leave  # noqa: PLC0415
    from undercroft.mcp.resources import Shelf  # noqa: PLC0415
    from undercroft.mcp.server import Server  # noqa: PLC0415

    async with open_app(settings) as app:
        server = Server(
            app.boundary,
            Shelf(TOOLSETS, app.boundary),
            actor=settings.actor,
            transport=settings.transport,
        )
        # What lives now lives as long as the process: never look at it again.
        gc.freeze()
        gc.set_threshold(*YOUNG)
        gc.enable()
        if settings.transport == "stdio":
            from undercroft.mcp.stdio import serve_stdio  # noqa: PLC0415

            await serve_stdio(server, app.boundary, settings)
        else:
            from undercroft.mcp.http import serve_http  # noqa: PLC0415 - 250 ms that stdio saves

            await serve_http(server, app.boundary, settings)
    leave()
