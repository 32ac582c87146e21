"""The wheel is whole: built, installed into an empty environment, it serves."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from undercroft import __version__

UV = Path(sys.executable).parent / "uv"


def run(*command: str | Path, cwd: Path) -> str:
    # The caches of the person who tests; certificates as the system has them.
    env = os.environ | {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", folder, cwd=root)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, root: Path) -> Path:
    """The command of an environment that holds the wheel and what the lock demands."""
    if not UV.exists():
        pytest.skip("uv is not here: the environment was made by pip")
    folder = wheel.parent / "an empty environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, folder, cwd=wheel.parent)
    export = ("export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--project", root)
    requirements = wheel.parent / "requirements.txt"
    requirements.write_text(run(UV, *export, cwd=wheel.parent))
    python = folder / "bin" / "python"
    install = (UV, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "--requirement", requirements, cwd=wheel.parent)
    run(*install, "--no-deps", wheel, cwd=wheel.parent)
    return folder / "bin" / "undercroft"


def test_the_wheel_carries_migrations_and_schemas(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("migrations", "schemas"):
        wanted = {f"undercroft/{f.relative_to(root)}" for f in (root / folder).rglob("*.*")}
        assert wanted
        assert wanted <= names


def test_the_wheel_carries_every_sql_file(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    server = root / "server"
    assert {str(f.relative_to(server)) for f in server.rglob("*.sql")} <= names


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    suffixes = {Path(n).suffix for n in names if n.startswith("undercroft/")}
    assert suffixes <= {".py", ".sql", ".json", ".conf", ".typed", ".txt", ".npz", ".md"}
    tops = {name.split("/")[0] for name in names}
    assert tops == {"undercroft", f"undercroft-{__version__}.dist-info"}


async def test_a_client_works_with_the_installed_wheel(
    installed: Path, bare_environment: dict[str, str], tmp_path: Path, project_name: str
) -> None:
    parameters = StdioServerParameters(command=str(installed), env=bare_environment, cwd=tmp_path)
    with (tmp_path / "log").open("w") as log:
        async with Client(stdio_client(parameters, errlog=log)) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            assert {"create_project", "create_entity"} <= names
            made = await client.call_tool("create_project", {"name": project_name})
            assert not made.is_error, made.structured_content
            task = {"title": "Serve from the wheel", "status": "pending"}
            arguments = {"project": project_name, "type": "task", "data": task}
            stored = await client.call_tool("create_entity", arguments)
            assert not stored.is_error, stored.structured_content
            assert stored.structured_content is not None
            assert stored.structured_content["version"] == 1
