"""Every named query fits the schema that the migrations make, and somebody uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from undercroft.app import App
from undercroft.db.queries import Queries, Query

SERVER = Path(__file__).resolve().parents[2] / "server"

PROJECT = {
    "entities/queries.sql",
    "codebase/queries.sql",
    "codebase/places.sql",
    "codebase/search.sql",
    "codebase/vectors.sql",
    "secrets/queries.sql",
    *(
        f"work/{name}.sql"
        for name in ("items", "tree", "ready", "claims", "reviews", "history", "transfer")
    ),
}
"""Files whose tables stand in a project; all others are prepared in the registry."""

NO_BLOCKS = {
    "db/embedded/bootstrap.sql": "a script for initdb, which every test's server has run",
    "db/migrate/ledger.sql": "a script that the migrator runs, in every test's databases",
}


READ_WHOLE = {"db/migrate/catalog.sql"}
"""Files whose every block is run by one loop."""


def sql_files() -> Iterator[tuple[str, Queries]]:
    for path in sorted((SERVER / "undercroft").rglob("*.sql")):
        name = path.relative_to(SERVER / "undercroft").as_posix()
        if name not in NO_BLOCKS:
            yield name, Queries(path.read_text("utf-8"), name)


FILES = dict(sql_files())
QUERIES = [pytest.param(f, q, id=f"{f}:{q.name}") for f, queries in FILES.items() for q in queries]


def test_every_sql_file_is_known() -> None:
    assert all(list(queries) for queries in FILES.values()), "a file without blocks"
    assert all((SERVER / "undercroft" / name).exists() for name in NO_BLOCKS)


async def test_every_query_can_be_prepared(app: App, project: str, connect) -> None:
    await app.open(project)
    registry = await connect((await app.registry()).name)
    inside = await connect((await app.open(project)).database.name)
    faults = []
    for name, queries in FILES.items():
        for query in queries:
            connection = inside if name in PROJECT else registry
            try:
                await connection.prepare(query.text)
            except asyncpg.PostgresError as error:
                faults.append(f"{name}:{query.name}: {error}")
    assert not faults, "\n".join(faults)
    assert sum(len(list(queries)) for queries in FILES.values()) > 30


@pytest.mark.parametrize(("file", "query"), QUERIES)
def test_every_query_is_used(file: str, query: Query) -> None:
    if file in READ_WHOLE:
        pytest.skip("its reader runs every block")
    code = "\n".join(p.read_text("utf-8") for p in (SERVER / "undercroft").rglob("*.py"))
    assert re.search(rf"\b_?[A-Z]+\.{query.name}\b", code), (
        f"nobody asks for {query.name} of {file}"
    )


@pytest.mark.parametrize(("file", "query"), QUERIES)
def test_every_query_has_its_sentence(file: str, query: Query) -> None:
    first = query.text.splitlines()[0]
    assert re.match(r"-- [A-Z].{10,}", first), f"{file}:{query.name} begins with {first!r}"
