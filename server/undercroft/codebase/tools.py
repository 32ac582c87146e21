"""Code search as tools."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from undercroft.codebase.models import Found, Hit, Place, Repository, SymbolPlace
from undercroft.codebase.service import Codebase
from undercroft.mcp.call import Caller
from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.progress import Progress

tools = Toolset("codebase")

Limit = Annotated[int, Field(ge=1, le=50)]
Lines = Annotated[int, Field(ge=0, le=100)]
Names = list[str]
Tokens = Annotated[int, Field(ge=500, le=9_000)]


@tools.write(idempotent=True)
async def index_repository(  # noqa: PLR0913, PLR0917 - a folder and how long to wait
    codebase: Codebase,
    caller: Caller,
    progress: Progress,
    path: str = "",
    name: str = "",
    wait_seconds: Annotated[float, Field(ge=0, le=50)] = 20,
) -> Repository:
    """Index a folder (default: the working one) for search, or what changed in it.

    Goes on in the background; get_index_status follows it.
    """
    return await codebase.index((caller.folder or Path()) / path, name, wait_seconds, progress)


@tools.read
async def get_index_status(codebase: Codebase, repository: str = "") -> list[Repository]:
    """State, progress, and every left-out file's reason."""
    return await codebase.status(repository)


@tools.read
async def list_repositories(codebase: Codebase) -> list[Repository]:
    """List indexed folders."""
    return await codebase.repositories()


@tools.write(toolset="codebase_admin", idempotent=True, destructive=True)
async def remove_repository(codebase: Codebase, repository: str) -> Repository:
    """Forget a folder's index; the folder stays."""
    return await codebase.remove(repository)


@tools.write(toolset="codebase_admin", idempotent=True)
async def cancel_indexing(codebase: Codebase, repository: str) -> Repository:
    """Stop indexing; the next run goes on from there."""
    return await codebase.cancel(repository)


@tools.read
async def semantic_search(  # noqa: PLR0913, PLR0917 - what a search can be narrowed by
    codebase: Codebase,
    caller: Caller,
    query: str,
    limit: Limit = 10,
    paths: Names = [],  # noqa: B006 - never changed
    file_types: Names = [],  # noqa: B006 - never changed
    repositories: Names = [],  # noqa: B006 - never changed
    context_lines: Lines = 0,
    max_tokens: Tokens = 9_000,
    cursor: str = "",
) -> Found:
    """Find code by question, words or name: places with text, best first.

    The index follows the disk. paths: globs (src/**/*.py); file_types: python, markdown…
    """
    return await codebase.search(
        query,
        limit=limit,
        paths=paths,
        languages=file_types,
        repositories=repositories,
        context=context_lines,
        max_tokens=max_tokens,
        cursor=cursor,
        folder=caller.folder,
    )


@tools.read
async def find_symbol(  # noqa: PLR0913, PLR0917 - what a look-up can be narrowed by
    codebase: Codebase,
    caller: Caller,
    name: str,
    role: Literal["", "definition", "reference"] = "",
    repositories: Names = [],  # noqa: B006 - never changed
    limit: Limit = 20,
    cursor: str = "",
) -> Page[SymbolPlace]:
    """Where a name is defined and used."""
    return await codebase.symbol(name, role, repositories, limit, cursor, folder=caller.folder)


@tools.read
async def find_related_code(  # noqa: PLR0913, PLR0917 - a place and what to compare it with
    codebase: Codebase,
    caller: Caller,
    path: str,
    line: int = 1,
    repositories: Names = [],  # noqa: B006 - never changed
    limit: Limit = 10,
) -> list[Hit]:
    """Code in other files that resembles the code at a place."""
    return await codebase.related(path, line, repositories, limit, folder=caller.folder)


@tools.read
async def read_code(  # noqa: PLR0913, PLR0917 - a place and how much of it
    codebase: Codebase,
    caller: Caller,
    path: str,
    start_line: int = 1,
    end_line: int = 0,
    context_lines: Lines = 0,
    repositories: Names = [],  # noqa: B006 - never changed
) -> Place:
    """Read lines of an indexed file (secrets masked)."""
    return await codebase.read(
        path, start_line, end_line, context_lines, repositories, folder=caller.folder
    )
