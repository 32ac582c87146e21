"""Who owns what: the login has only the grants that migrations give it.

The tables of the registry and of all projects belong to a NOLOGIN role named
after the login, into which it steps (SET LOCAL ROLE) for migrations alone. So a
statement of a tool cannot touch what is append-only, whatever it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercroft.db.queries import load_queries, quote_ident

if TYPE_CHECKING:
    import asyncpg

SQL = load_queries("undercroft.db", "roles.sql")

MEMBERSHIP_OPTIONS_SINCE = 160_000
"""PostgreSQL 16 tells inheriting a role's rights from being allowed to step into it."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The roles on one server."""

    login: str
    owner: str
    """Owns all tables; the login itself where it may not create roles."""
    version: int
    """server_version_num, for example 180006."""
    superuser: bool
    may_create_roles: bool
    may_create_databases: bool

    @property
    def separate(self) -> bool:
        """Whether owner and login are two roles."""
        return self.owner != self.login

    def membership(self, *, inherit: bool) -> str:
        """Options of a GRANT of membership to the login."""
        if self.version < MEMBERSHIP_OPTIONS_SINCE:
            return ""
        return f" WITH INHERIT {'TRUE' if inherit else 'FALSE'}, SET TRUE"


async def prepare_roles(connection: asyncpg.Connection) -> Roles:
    """Find the roles of this server, and make the owner role where that is allowed."""
    row = await connection.fetchrow(SQL.describe_login.text)
    login = row["login"]
    roles = Roles(
        login=login,
        owner=f"{login[:57]}_owner" if row["may_create_roles"] else login,
        version=row["version"],
        superuser=row["superuser"],
        may_create_roles=row["may_create_roles"],
        may_create_databases=row["may_create_databases"],
    )
    if roles.separate:
        owner = quote_ident(roles.owner)
        options = roles.membership(inherit=False)
        # The lock holds within one database; another server may have its home in another one.
        await grant(
            connection,
            f"DO $$ BEGIN CREATE ROLE {owner} NOLOGIN;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
            f"GRANT {owner} TO {quote_ident(login)}{options}",
        )
    return roles


async def grant(connection: asyncpg.Connection, statements: str) -> None:
    """Grant rights in one transaction, while no other server grants any in this database."""
    async with connection.transaction():
        await connection.execute(SQL.lock_grants.text)
        await connection.execute(statements)


def admission(database: str, roles: Roles) -> str:
    """Statements that let the login and the tables' owner into a database, and nobody else."""
    name, login, owner = (quote_ident(part) for part in (database, roles.login, roles.owner))
    return (
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;"
        f"GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {login};"
        f"GRANT CREATE, CONNECT ON DATABASE {name} TO {owner}"
    )


def settlement(roles: Roles) -> str:
    """Statement, run inside a database, that lets the owner role make tables there."""
    return f"GRANT CREATE, USAGE ON SCHEMA public TO {quote_ident(roles.owner)}"
