"""Fixtures of all tests: a real PostgreSQL, a registry and databases of the test's own."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from undercroft.app import App, open_app
from undercroft.app.ground import source_of
from undercroft.db.database import Database
from undercroft.db.embedded import EmbeddedPostgres
from undercroft.db.roles import Roles, admission
from undercroft.db.source import ServerAddress
from undercroft.mcp.call import Caller
from undercroft.settings import Settings

from . import memory

Call = Callable[..., Awaitable[dict[str, Any]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres-url", default="", help="test against this server (a DSN)")
    parser.addoption("--docker", action="store_true", help="test against PostgreSQL in a container")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Every process that a test starts would compile the same modules again.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        memory.move_in()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove what the tests' servers left outside of pytest's folder, which root's have to."""
    if hasattr(session.config, "workerinput"):
        return
    if exitstatus == pytest.ExitCode.OK:
        session.config.add_cleanup(memory.move_out)
    folders: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    for link in folders.getbasetemp().rglob("postgres/[0-9]*"):
        if link.is_symlink():
            shutil.rmtree(link.resolve().parent, ignore_errors=True)


@dataclass(frozen=True)
class Template:
    """A database to copy, and whose it is."""

    name: str
    roles: Roles


@contextmanager
def container() -> Iterator[str]:
    """A DSN of a PostgreSQL 18 with pgvector, gone after the tests."""
    import docker
    from testcontainers.community.postgres import PostgresContainer

    try:
        docker.from_env().ping()
    except docker.errors.DockerException:
        pytest.skip("no Docker engine answers")
    with PostgresContainer("pgvector/pgvector:pg18", driver=None) as running:
        yield running.get_connection_url()


async def hasten(embedded: EmbeddedPostgres) -> None:
    """Start it, and spare the disk: every DROP DATABASE would wait for a checkpoint's fsync."""
    address = await embedded.address()
    connection = await asyncpg.connect(
        host=address.host, port=address.port, user="postgres", database="postgres", ssl=False
    )
    await connection.execute("ALTER SYSTEM SET fsync = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings that name a running server: the embedded one, shared by all test processes."""
    url = request.config.getoption("--postgres-url")
    if url:
        yield Settings(
            database_url=url, key_provider="file", key_folder=tmp_path_factory.mktemp("keys")
        )
        return
    if request.config.getoption("--docker"):
        with container() as dsn:
            yield Settings(
                database_url=dsn, key_provider="file", key_folder=tmp_path_factory.mktemp("keys")
            )
        return
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    # Root's pytest closes its folder to the user that PostgreSQL runs as.
    home = (memory.own_folder() or shared) / "home"
    settings = Settings(home=home, key_provider="file", key_folder=home.parent / "keys")
    embedded = EmbeddedPostgres(settings.home)
    asyncio.run(hasten(embedded))
    yield settings
    asyncio.run(embedded.close())


@pytest.fixture
async def address(server: Settings) -> AsyncIterator[ServerAddress]:
    """Where the server is, for a test that brings its own connection."""
    source, _ = source_of(server)
    yield await source.address()
    await source.close()


async def connect_to(address: ServerAddress, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=database,
        **address.parameters,
    )


@pytest.fixture
async def connect(
    address: ServerAddress,
) -> AsyncIterator[Callable[[str], Awaitable[asyncpg.Connection]]]:
    """Bare connections of the driver, closed after the test."""
    opened: list[asyncpg.Connection] = []

    async def connect(database: str) -> asyncpg.Connection:
        opened.append(await connect_to(address, database))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.terminate()


async def drop_database(admin: asyncpg.Connection, name: str) -> None:
    """Drop a database, whoever is in it (FORCE fails where autovacuum is)."""
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND usename = current_user"
    )
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}"')


@pytest.fixture
def drop() -> Callable[[asyncpg.Connection, str], Awaitable[None]]:
    """Drop a database that a test has made."""
    return drop_database


def new_registry() -> str:
    return f"mcp_registry_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def template(server: Settings) -> Iterator[Template]:
    """A registry as its first start leaves it, which nobody uses: made once, and copied."""
    name = new_registry()

    async def make() -> Template:
        async with open_app(replace(server, registry_database=name)) as app:
            return Template(name, await (await app.ground()).schemas.roles())

    async def remove() -> None:
        source, maintenance = source_of(server)
        admin = await connect_to(await source.address(), maintenance)
        await drop_database(admin, name)
        await admin.close()
        await source.close()

    yield asyncio.run(make())
    asyncio.run(remove())


@pytest.fixture
async def first_start(
    server: Settings, connect: Callable[[str], Awaitable[asyncpg.Connection]]
) -> AsyncIterator[Settings]:
    """Settings with a registry of the test's own, which is not there yet.

    It and its projects are dropped afterwards.
    """
    registry = new_registry()
    yield replace(server, registry_database=registry, toolsets="all")
    _, maintenance = source_of(server)
    admin = await connect(maintenance)
    if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", registry):
        listing = await connect(registry)
        if await listing.fetchval("SELECT to_regclass('public.projects') IS NOT NULL"):
            for row in await listing.fetch("SELECT database_name FROM projects"):
                await drop_database(admin, row[0])
                await admin.execute(f'DROP ROLE IF EXISTS "{row[0]}"')
        await drop_database(admin, registry)


@pytest.fixture
async def settings(
    first_start: Settings,
    template: Template,
    connect: Callable[[str], Awaitable[asyncpg.Connection]],
) -> Settings:
    """Settings with a registry of the test's own, ready for use."""
    admin = await connect(source_of(first_start)[1])
    name = first_start.registry_database
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template.name}" STRATEGY file_copy')
    await admin.execute(admission(name, template.roles))
    await admin.close()
    return first_start


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[App]:
    """An application over the test's own registry."""
    async with open_app(settings) as app:
        yield app


@pytest.fixture
def project_name() -> str:
    """A name that no other test uses: project databases share one server."""
    return f"t_{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def project(app: App, project_name: str) -> str:
    """The name of a fresh project."""
    projects = await app.projects("test")
    return (await projects.create(project_name)).name


@pytest.fixture
async def project_db(app: App, project: str) -> Database:
    """The database of a fresh project."""
    return (await app.open(project)).database.acting_as("test")


@pytest.fixture
def call(app: App) -> Call:
    """Call a tool through the boundary; the body of its answer, a failure's as well."""

    async def call(tool: str, **arguments: Any) -> dict[str, Any]:
        outcome = await app.boundary.call(tool, arguments, Caller(actor="test"))
        assert outcome.failed == ("call_id" in outcome.body)
        return outcome.body

    return call


@pytest.fixture
def does(call: Call, project: str) -> Call:
    """Call a tool that must succeed."""

    async def does(tool: str, **arguments: Any) -> dict[str, Any]:
        body = await call(tool, project=project, **arguments)
        assert "code" not in body, body
        assert body["project"] == project
        return body

    return does


@pytest.fixture(scope="session")
def git() -> Callable[..., None]:
    """Run git in a folder: `git(folder, "worktree", "add", "../fix")`."""

    def git(folder: Path, *words: str) -> None:
        named = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)

    return git


@pytest.fixture
def main_and_linked(git: Callable[..., None], tmp_path: Path, project_name: str) -> list[Path]:
    """A checkout that is named as the project, and a linked worktree beside it."""
    main, linked = tmp_path / project_name, tmp_path / "fix"
    main.mkdir()
    git(main, "init")
    git(main, "commit", "--allow-empty", "-m", "first")
    git(main, "worktree", "add", str(linked))
    return [main, linked]
