"""A PostgreSQL that others run: its DSN, and one that lets us create no roles."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from undercroft.app import open_app
from undercroft.app.doctor import examine
from undercroft.db.external import ExternalPostgres, parse_dsn
from undercroft.errors import InvalidInput, UndercroftError
from undercroft.settings import Settings


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("postgresql://u:p@h:1/d", ("h", 1, "u", "p", "d")),
        ("postgres://h", ("h", 5432, "postgres", None, "postgres")),
        ("postgresql://u%40x:p%2F%3A@h/d%20e", ("h", 5432, "u@x", "p/:", "d e")),
        ("postgresql://u@[::1]:6543/d", ("::1", 6543, "u", None, "d")),
        ("postgresql://u@[::1]/d", ("::1", 5432, "u", None, "d")),
        ("postgresql://u@a:1,b:2/d", (["a", "b"], [1, 2], "u", None, "d")),
        ("postgresql://u@a,b/d?port=7", (["a", "b"], [7, 7], "u", None, "d")),
        ("postgresql:///d?host=/var/run&port=6432&user=u", ("/var/run", 6432, "u", None, "d")),
        ("postgresql://u@/d?host=a,b&port=1,2", (["a", "b"], [1, 2], "u", None, "d")),
        ("postgresql://h/?dbname=d&password=p", ("h", 5432, "postgres", "p", "d")),
    ],
)
def test_a_dsn_is_read(dsn, expected) -> None:
    address, name = parse_dsn(dsn)
    assert (address.host, address.port, address.user, address.password, name) == expected


def test_tls_and_the_kind_of_host_are_passed_on() -> None:
    address, _ = parse_dsn("postgresql://h/d?sslmode=require&target_session_attrs=read-write")
    assert address.parameters == {"ssl": "require", "target_session_attrs": "read-write"}


@pytest.mark.parametrize(
    "dsn",
    [
        "mysql://u:hunter2@h/d",
        "hunter2",
        "postgresql://u:hunter2@h:x/d",
        "postgresql://u@h:65536/d",
        "postgresql://[::1",
    ],
)
def test_what_is_no_dsn_is_refused_without_repeating_it(dsn) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_dsn(dsn)
    assert "hunter2" not in str(refused.value.as_dict())


async def test_nothing_is_started_or_stopped() -> None:
    external = ExternalPostgres("postgresql://u@h:1/d")
    await external.recover()
    await external.close()
    assert (await external.address()).host == "h"
    assert external.database == "d"


@pytest.fixture
async def plain_settings(open_server, first_start) -> Settings:
    """A server whose login may make databases and no roles."""
    name = f"plain_{uuid.uuid4().hex[:8]}"
    await open_server.run(f"CREATE ROLE {name} LOGIN CREATEDB NOCREATEROLE")
    return replace(first_start, database_url=open_server.dsn(name))


async def test_where_no_role_may_be_made_one_role_serves(plain_settings, open_server) -> None:
    async with open_app(plain_settings) as app:
        projects = await app.projects("test")
        project = await projects.create("plain_one")
        assert project.state == "ready"
        assert not (await app.started.schemas.roles()).separate
        database = (await app.open("plain_one")).database
        assert await database.fetch_text("SELECT count(*) FROM workflow.entities")
        assert (await projects.archive("plain_one")).state == "archived"
        assert (await projects.restore("plain_one")).state == "ready"
        await projects.archive("plain_one")
        await projects.drop("plain_one")
    names = await open_server.run(
        "SELECT rolname FROM pg_roles WHERE rolname LIKE 'project_plain%'"
    )
    assert names == []


async def test_where_no_database_may_be_made_the_error_says_so(first_start, open_server) -> None:
    name = f"poor_{uuid.uuid4().hex[:8]}"
    await open_server.run(f"CREATE ROLE {name} LOGIN NOCREATEDB NOCREATEROLE")
    async with open_app(replace(first_start, database_url=open_server.dsn(name))) as app:
        with pytest.raises(UndercroftError) as refused:
            await app.registry()
    assert refused.value.code == "forbidden"


@pytest.fixture
async def without_vector(open_server) -> AsyncIterator[None]:
    """New databases of the server have no pgvector, and only a superuser may create it."""
    await open_server.run("DROP EXTENSION vector", "template1")
    yield
    await open_server.run("CREATE EXTENSION IF NOT EXISTS vector", "template1")


async def test_where_pgvector_may_not_be_created_nothing_is_half_made(
    plain_settings, open_server, without_vector
) -> None:
    async with open_app(plain_settings) as app:
        projects = await app.projects("test")
        for _ in range(2):
            with pytest.raises(UndercroftError) as refused:
                await projects.create("plain_vector")
            assert refused.value.code == "forbidden"
            assert "`CREATE EXTENSION vector` in template1" in refused.value.hint
            assert await projects.every("") == []
        findings = {finding.what: finding async for finding in examine(plain_settings)}
        assert findings["pgvector"].verdict == "wrong"
        assert findings["pgvector"].mend == refused.value.hint
        await open_server.run("CREATE EXTENSION vector", "template1")
        assert (await projects.create("plain_vector")).state == "ready"
        await projects.archive("plain_vector")
        await projects.drop("plain_vector")


async def test_an_older_project_is_told_where_pgvector_is_missing(
    plain_settings, open_server
) -> None:
    async with open_app(plain_settings) as app:
        await (await app.projects("test")).create("plain_older")
        migrator = await app.started.schemas.migrator("project")
        await migrator.down("project_plain_older", to=3, force=True)
    await open_server.run("DROP EXTENSION vector", "project_plain_older")
    async with open_app(plain_settings) as app:
        with pytest.raises(UndercroftError) as refused:
            await app.open("plain_older")
        assert refused.value.code == "forbidden"
        assert "in project_plain_older" in refused.value.hint
        await open_server.run("CREATE EXTENSION vector", "project_plain_older")
        assert (await app.open("plain_older")).name == "plain_older"
        projects = await app.projects("test")
        await projects.archive("plain_older")
        await projects.drop("plain_older")
