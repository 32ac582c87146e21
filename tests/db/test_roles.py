"""Who may do what: the login is nobody special, tables are not its own, history only grows."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from undercroft.app import open_app
from undercroft.db.roles import prepare_roles

HISTORY = ("workflow.entity_history", "workflow.entity_schema_versions")


@pytest.fixture
async def inside(app, project, connect) -> asyncpg.Connection:
    """A bare connection of the server's login to a project's database."""
    return await connect(f"project_{project}")


async def test_the_login_is_no_superuser(inside) -> None:
    row = await inside.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
    assert not any(row[f"rol{right}"] for right in ("super", "replication", "bypassrls"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await inside.execute("COPY (SELECT 1) TO PROGRAM 'true'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await inside.fetch("SELECT pg_read_file('/etc/passwd')")


async def test_no_table_belongs_to_the_login(inside) -> None:
    owned = await inside.fetch(
        "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relkind IN ('r', 'p', 'v', 'S') AND relowner = current_user::regrole "
        "AND nspname IN ('workflow', 'undercroft', 'public')"
    )
    assert owned == []


async def test_the_login_can_neither_change_a_table_nor_delete_a_record(inside) -> None:
    for statement in (
        "ALTER TABLE workflow.entities ADD COLUMN x int",
        "DROP TABLE workflow.entities",
        "DELETE FROM workflow.entities",
        "TRUNCATE workflow.entities",
        "ALTER TABLE workflow.entities DISABLE TRIGGER ALL",
        "CREATE TABLE workflow.mine (a int)",
        "SET session_replication_role = 'replica'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await inside.execute(statement)


@pytest.mark.parametrize("table", HISTORY)
async def test_history_cannot_be_changed_by_the_login(inside, table) -> None:
    for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"DROP TABLE {table}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await inside.execute(statement)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await inside.execute(f"UPDATE {table} SET version = version + 1")


@pytest.mark.parametrize("table", HISTORY)
async def test_history_only_grows_even_for_its_owner(app, inside, table) -> None:
    owner = (await app.started.schemas.roles()).owner
    for statement in (
        f"DELETE FROM {table}",
        f"UPDATE {table} SET version = version + 1",
        f"TRUNCATE {table}",
    ):
        async with inside.transaction():
            await inside.execute(f'SET LOCAL ROLE "{owner}"')
            savepoint = inside.transaction()
            await savepoint.start()
            with pytest.raises(asyncpg.PostgresError) as refused:
                await inside.execute(statement)
            await savepoint.rollback()
        assert refused.value.sqlstate == "UC002"


async def test_nobody_else_may_connect_to_a_project_or_the_registry(
    first_start, project_name, connect
) -> None:
    async with open_app(first_start) as app:
        project = (await (await app.projects("test")).create(project_name)).name
        roles = await app.started.schemas.roles()
    admin = await connect("postgres")
    for database in (f"project_{project}", first_start.registry_database):
        grants = await admin.fetch(
            "SELECT coalesce(nullif(grantee, 0)::regrole::text, 'public') AS grantee, "
            "privilege_type FROM pg_database, aclexplode(datacl) WHERE datname = $1",
            database,
        )
        connecting = {row["grantee"] for row in grants if row["privilege_type"] == "CONNECT"}
        assert "public" not in connecting
        assert connecting <= {roles.login, roles.owner, f"project_{project}"}


async def test_a_project_belongs_to_a_role_of_its_own_that_cannot_log_in(
    app, project, connect
) -> None:
    admin = await connect("postgres")
    row = await admin.fetchrow(
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole "
        "FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE datname = $1",
        f"project_{project}",
    )
    assert tuple(row) == (f"project_{project}", False, False, False, False)


async def test_the_owner_of_all_tables_cannot_log_in(app, connect) -> None:
    await app.registry()
    roles = await app.started.schemas.roles()
    admin = await connect("postgres")
    assert roles.separate
    assert not await admin.fetchval(
        "SELECT rolcanlogin OR rolsuper FROM pg_roles WHERE rolname = $1", roles.owner
    )


async def test_sixteen_servers_that_start_together_find_the_same_roles(open_server) -> None:
    name = "gathering"
    await open_server.run(f"CREATE ROLE {name} LOGIN CREATEDB CREATEROLE")
    met = asyncio.Barrier(16)

    async def start() -> tuple[str, bool]:
        connection = await asyncpg.connect(
            host=open_server.folder,
            port=open_server.port,
            user=name,
            database="postgres",
            ssl=False,
        )
        try:
            await met.wait()
            roles = await prepare_roles(connection)
        finally:
            await connection.close()
        return roles.owner, roles.separate

    assert set(await asyncio.gather(*(start() for _ in range(16)))) == {(f"{name}_owner", True)}
