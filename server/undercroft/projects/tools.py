"""Projects as tools."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from undercroft.checkout import checkout_of
from undercroft.mcp.call import Caller
from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.projects.models import Project
from undercroft.projects.service import Projects

tools = Toolset("projects", scope="registry")

Name = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,48}$")]
Limit = Annotated[int, Field(ge=1, le=200)]


@tools.write(idempotent=True)
async def create_project(
    projects: Projects, caller: Caller, name: Name, description: str = "", root: str = ""
) -> Project:
    """Make a project with a private database. Repeating it is safe.

    root (default: the working folder) lets calls from inside it omit `project`.
    """
    chosen = root or await _free_root(projects, caller.folder)
    return await projects.create(name, description, chosen)


@tools.read
async def list_projects(
    projects: Projects,
    state: Literal["", "ready", "archived"] = "",
    limit: Limit = 50,
    cursor: str = "",
) -> Page[Project]:
    """List projects by name; archived ones only with state."""
    return await projects.page(state, limit, cursor)


@tools.read
async def get_project(projects: Projects, name: str) -> Project:
    """Show one project: state, root, settings."""
    return await projects.get(name)


@tools.write(toolset="projects_admin", idempotent=True)
async def update_project(
    projects: Projects,
    name: str,
    description: str | None = None,
    root: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Project:
    """Change a project's description, root ("" for none) or settings (replaced whole)."""
    return await projects.update(name, description, root, settings)


@tools.write(toolset="projects_admin", idempotent=True)
async def archive_project(projects: Projects, name: str) -> Project:
    """Close a project's database to everyone. Nothing is lost; restore_project reopens it."""
    return await projects.archive(name)


@tools.write(toolset="projects_admin", idempotent=True)
async def restore_project(projects: Projects, name: str) -> Project:
    """Reopen an archived project."""
    return await projects.restore(name)


@tools.resource("undercroft://projects", name="projects")
async def all_projects(projects: Projects) -> Page[Project]:
    """The projects of this server, by name."""
    return await projects.page("", 200, "")


@tools.completes("project")
async def complete_project(projects: Projects, prefix: str) -> list[str]:
    """Project names that begin so."""
    return await projects.names(prefix)


async def _free_root(projects: Projects, folder: Path | None) -> str:
    """The repository or folder that the caller stands in, unless that says nothing."""
    if folder is None or folder in (Path.home(), Path(folder.anchor)):
        return ""
    root = checkout_of(folder).main
    return "" if await projects.has_root(str(root)) else str(root)
