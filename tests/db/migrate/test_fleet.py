import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from undercroft.db.migrate.failure import MigrationFailed
from undercroft.db.migrate.files import load_line
from undercroft.db.migrate.fleet import Fleet, Target, for_all, migrate_all
from undercroft.db.migrate.patience import Patience
from undercroft.errors import Conflict, NotFound

REGISTRY = {"_0001_r": "CREATE TABLE r ();", "_0001_r_down": "DROP TABLE r;"}
PROJECT = {"_0001_p": "CREATE TABLE p (id int);", "_0001_p_down": "DROP TABLE p;"}


@pytest.fixture
def fleet(bench, make_database) -> Callable[..., Awaitable[Fleet]]:
    async def make(projects: int, registry=REGISTRY, project=PROJECT, **options: Any) -> Fleet:
        bench.line("registry", **registry)
        bench.line("project", **project)
        names = [(f"p{n}", await make_database()) for n in range(projects)]

        async def list_projects() -> list[tuple[str, str]]:
            return names

        return Fleet(
            connect=bench.postgres.session,
            registry_database=bench.database,
            list_projects=list_projects,
            patience=Patience(lock_timeout=0.2, attempts=4, first_pause=0.01),
            lines=lambda line: load_line(line, bench.folder),
            **options,
        )

    return make


async def test_registry_and_all_projects_are_brought_up(fleet) -> None:
    ships = await fleet(3)
    answers = await migrate_all(ships)
    assert [a.target.name for a in answers] == ["registry", "p0", "p1", "p2"]
    assert [a.result.steps for a in answers] == [("0001_r",), *[("0001_p",)] * 3]
    assert {a.result.state for a in await ships.status(await ships.targets())} == {"current"}
    assert all(a.result.valid for a in await ships.verify(await ships.targets()))


async def test_one_broken_project_never_stops_the_others(fleet, bench) -> None:
    ships = await fleet(4)
    broken = (await ships.targets("project"))[1]
    async with bench.postgres.session(broken.database) as connection:
        await connection.execute("CREATE TABLE p (other text)")
    answers = await migrate_all(ships)
    failed = [a for a in answers if a.error]
    assert [a.target for a in failed] == [broken]
    assert isinstance(failed[0].error, MigrationFailed)
    body = json.loads(json.dumps(failed[0].as_dict()))
    assert body["error"]["explanation"] == ('0001_p.up.sql:1: relation "p" already exists [42P07]')
    assert [len(a.result.steps) for a in answers if a.result] == [1, 1, 1, 1]
    async with bench.postgres.session(broken.database) as connection:
        await connection.execute("DROP TABLE p")
    again = await migrate_all(ships)
    assert [len(a.result.steps) for a in again] == [0, 0, 1, 0, 0]


async def test_a_database_that_is_gone_is_an_error_of_its_own(fleet, bench) -> None:
    ships = await fleet(2)
    gone = Target(name="gone", database="no_such_database")
    answers = await ships.up([*await ships.targets("project"), gone])
    assert [bool(a.error) for a in answers] == [False, False, True]
    assert answers[2].error.code == "not_found"


async def test_databases_are_migrated_beside_each_other_up_to_the_bound() -> None:
    together = 0
    most = 0
    both = asyncio.Event()

    async def work(_target: Target) -> int:
        nonlocal together, most
        together += 1
        most = max(most, together)
        if together == 3:
            both.set()
        await both.wait()
        together -= 1
        return 1

    reports: list[tuple[float, float | None]] = []

    async def progress(done: float, total: float | None = None, message: str = "") -> None:
        reports.append((done, total))

    targets = [Target(name=str(n), database=str(n)) for n in range(9)]
    async with asyncio.timeout(10):
        await for_all(targets, work, concurrency=3, progress=progress)
    assert most == 3
    assert reports == [(n, 9) for n in range(1, 10)]


async def test_a_project_migration_waits_for_the_registry_migration_that_it_requires(
    fleet,
) -> None:
    needy = {"_0001_p": "-- requires: registry/0001\nCREATE TABLE p (id int);"}
    ships = await fleet(2, project=needy | {"_0001_p_down": "DROP TABLE p;"})
    alone = await ships.up(await ships.targets("project"))
    assert all("requires registry/0001" in a.error.message for a in alone)
    assert not any(a.error for a in await migrate_all(ships))
    registry = await ships.targets("registry")
    kept = await ships.down(registry, force=True)
    assert isinstance(kept[0].error, Conflict)
    assert "p0 has 0001_p" in kept[0].error.message
    await ships.down(await ships.targets("project"), force=True)
    assert (await ships.down(registry, force=True))[0].result.steps == ("0001_r",)


async def test_an_unknown_project_is_not_found(fleet) -> None:
    with pytest.raises(NotFound):
        await (await fleet(1)).targets(project="nobody")
