"""A server with the test tools that the conformance suite calls, on the road of the product.

Toolset, boundary, shelf, server and transport are Undercroft's own; only the room is made for the
suite, and it needs no database. `python -m client_checks.fixture` listens on a free port.
"""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from typing import Any, Self, cast

from undercroft.errors import Conflict
from undercroft.log import configure
from undercroft.mcp.boundary import Boundary
from undercroft.mcp.call import OpenProject
from undercroft.mcp.http import serve_http
from undercroft.mcp.lifetime import leave
from undercroft.mcp.resources import Shelf
from undercroft.mcp.server import Server
from undercroft.mcp.toolset import Toolset, choose
from undercroft.progress import Progress
from undercroft.settings import Settings, load_settings


class Nothing:
    """Stands where a database would be: service and directory in one."""

    def acting_as(self, _actor: str) -> Self:
        """As nobody."""
        return self

    async def registry(self) -> Any:
        """Itself."""
        return self

    async def open(self, name: str, folder: Path | None) -> OpenProject:
        """No project exists.

        Raises:
            Conflict: Always.

        """
        raise Conflict(f"There is no project {name!r} in {folder}.")


tools = Toolset("conformance", scope="registry")


@tools.read
async def test_simple_text(_: Nothing) -> dict[str, str]:  # noqa: PT019 - a tool, no test
    """Return a text."""
    return {"text": "This is a simple text response for testing."}


@tools.read
async def test_error_handling(_: Nothing) -> None:  # noqa: PT019 - a tool, no test
    """Fail, as asked.

    Raises:
        Conflict: Always.

    """
    raise Conflict("This tool intentionally returns an error for testing")


@tools.read
async def test_tool_with_progress(_: Nothing, progress: Progress) -> dict[str, int]:  # noqa: PT019 - a tool, no test
    """Report progress three times."""
    for done in (0, 50, 100):
        await progress(done, 100, "working")
        await asyncio.sleep(0.01)
    return {"done": 100}


@tools.resource("test://static-text", name="static-text")
async def static_text(_: Nothing) -> dict[str, str]:
    """A text that never changes."""
    return {"text": "This is the content of the static text resource."}


@tools.resource("test://watched-resource", name="watched")
async def watched(_: Nothing) -> dict[str, str]:
    """A text that can be watched."""
    return {"text": "watched"}


@tools.resource("test://template/{id}/data", name="template")
async def template(_: Nothing, id: str) -> dict[str, Any]:  # noqa: A002 - the suite's name
    """Data by id."""
    return {"id": id, "templateTest": True, "data": f"Data for ID: {id}"}


@tools.prompt
def test_simple_prompt() -> str:
    """Say something simple."""
    return "This is a simple prompt for testing."


@tools.prompt
def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """Say the arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@tools.completes("arg1")
async def complete_arg1(_: Nothing, prefix: str) -> list[str]:
    """Words that begin so."""
    return [word for word in ("testValue1", "paris", "park", "party") if word.startswith(prefix)]


async def serve(settings: Settings) -> None:
    """Serve the room over HTTP until a signal."""
    nothing = Nothing()
    catalog = choose([tools], "all", read_only=False)
    boundary = Boundary(
        catalog=catalog,
        hidden={},
        directory=cast("Any", nothing),
        services={Nothing: lambda _database: nothing},
        timeout=settings.call_timeout,
    )
    server = Server(boundary, Shelf([tools], boundary), actor="", transport="http")
    gc.enable()
    await serve_http(server, boundary, settings)
    leave()


if __name__ == "__main__":
    configure("info", "json")
    asyncio.run(serve(load_settings({"transport": "http", "port": "0"})))
