"""The lines that Undercroft ships."""

import pytest

from undercroft.db.migrate.files import load_line
from undercroft.db.migrate.reversible import assert_reversible

LINES = ["registry", "project"]


async def make_roles(bench) -> None:
    for role in ("shipped_owner NOLOGIN", "shipped_app LOGIN"):
        await bench.fetch(
            f"DO $$BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END$$"
        )
    await bench.fetch(f"GRANT CREATE ON DATABASE {bench.database} TO shipped_owner")
    await bench.fetch("GRANT CREATE, USAGE ON SCHEMA public TO shipped_owner")
    for extension in ("vector", "pg_trgm", "btree_gin", "btree_gist", "citext", "unaccent"):
        await bench.fetch(f"CREATE EXTENSION IF NOT EXISTS {extension}")


@pytest.mark.parametrize("name", LINES)
async def test_every_way_back_undoes_its_way_up(bench, name: str) -> None:
    await make_roles(bench)
    migrator = bench.migrator(load_line(name), owner_role="shipped_owner", app_role="shipped_app")
    await assert_reversible(migrator, bench.database)


@pytest.mark.parametrize("name", LINES)
async def test_every_statement_can_be_split_off(name: str) -> None:
    for step in load_line(name).migrations:
        assert step.up.statements
        assert step.down.statements or step.down.header.irreversible
