"""The server with one tool more, which does nothing: what a call costs before any work."""

from __future__ import annotations

import asyncio
import gc

from undercroft.app.app import TOOLSETS, open_app
from undercroft.db.database import Database
from undercroft.log import configure
from undercroft.mcp.lifetime import leave
from undercroft.mcp.resources import Shelf
from undercroft.mcp.server import Server
from undercroft.mcp.stdio import serve_stdio
from undercroft.mcp.toolset import Catalog, Toolset
from undercroft.settings import load_settings

tools = Toolset("noop", scope="registry")


class Nothing:
    """A service without rules."""

    def __init__(self, _database: Database) -> None:
        """Keep nothing."""


@tools.read
async def do_nothing(nothing: Nothing) -> None:
    """Do nothing."""


async def serve() -> None:
    """Serve as `undercroft serve` does."""
    settings = load_settings()
    configure(settings.log_level, settings.log_format)
    async with open_app(settings) as app:
        boundary = app.boundary
        more = {tool.name: tool for tool in tools.tools}
        boundary.catalog = Catalog(tools={**boundary.catalog.tools, **more})
        boundary.services = {**boundary.services, Nothing: Nothing}
        server = Server(boundary, Shelf(TOOLSETS, boundary), actor="", transport="stdio")
        gc.freeze()
        await serve_stdio(server, boundary, settings)
    leave()


if __name__ == "__main__":
    asyncio.run(serve())
