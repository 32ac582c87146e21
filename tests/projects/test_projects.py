"""Projects: made, found, changed, archived, restored, dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from undercroft.app import App, open_app
from undercroft.db.queries import make_query
from undercroft.errors import Conflict, Forbidden, InvalidInput, NotFound
from undercroft.projects.service import Projects, name_from
from undercroft.settings import Settings


@pytest.fixture
async def projects(app) -> Projects:
    return await app.projects("test")


@pytest.fixture
async def databases(connect) -> Callable[[str], Awaitable[bool | None]]:
    """Whether a project's database exists and lets us in."""
    admin = await connect("postgres")

    async def databases(name: str) -> bool | None:
        allows = "SELECT datallowconn FROM pg_database WHERE datname = $1"
        found: bool | None = await admin.fetchval(allows, f"project_{name}")
        return found

    return databases


async def test_a_new_project_has_a_database_and_its_facts(app, projects, project_name) -> None:
    made = await projects.create(project_name, "what it is", "/srv/x/../y/", {"a": [1]})
    assert (made.state, made.description, made.root_path) == ("ready", "what it is", "/srv/y")
    assert (made.settings, made.created_by) == ({"a": [1]}, "test")
    assert made.database_name == f"project_{project_name}"
    assert await projects.get(project_name) == made
    opened = await app.open(project_name)
    assert opened.name == project_name


async def test_the_same_again_is_the_same_project_and_another_is_refused(
    projects, project_name
) -> None:
    made = await projects.create(project_name, "one", "/srv/a", {"a": 1})
    assert await projects.create(project_name, "one", "/srv/a", {"a": 1}) == made
    assert await projects.create(project_name) == made
    for other in (("two", "", {}), ("", "/srv/b", {}), ("", "", {"a": 2})):
        with pytest.raises(Conflict, match="exists with another"):
            await projects.create(project_name, *other)


@pytest.mark.parametrize("name", ["", "A", "a b", "a-b", "ä", "a" * 49, "a\n", 'a"b', "../a"])
async def test_a_name_that_no_database_can_have_is_refused(projects, name) -> None:
    with pytest.raises(InvalidInput):
        await projects.create(name)
    assert (await projects.page()).items == []


@pytest.mark.parametrize("name", ["a", "a" * 48, "0", "_"])
def test_names_at_the_edge_are_names(name) -> None:
    assert name_from(name) in (name, "my_app")


async def test_the_longest_names_do_not_share_a_database(projects, project_name, databases) -> None:
    names = [project_name + "x" * (47 - len(project_name)) + end for end in "ab"]
    for name in names:
        await projects.create(name)
        assert await databases(name)


async def test_a_project_is_closed_opened_and_destroyed(
    app, projects, project_name, databases
) -> None:
    await projects.create(project_name)
    database = (await app.open(project_name)).database
    assert (await projects.archive(project_name)).state == "archived"
    assert await databases(project_name) is False
    with pytest.raises(NotFound, match="archived"):
        await database.fetch_text("SELECT 1")
    assert (await projects.archive(project_name)).state == "archived"
    assert [p.name for p in (await projects.page("archived")).items] == [project_name]
    assert (await projects.page()).items == []
    with pytest.raises(Conflict, match="archived"):
        await projects.create(project_name)
    with pytest.raises(Conflict, match="archived"):
        await projects.update(project_name, "other")
    assert (await projects.restore(project_name)).state == "ready"
    assert await database.fetch_text("SELECT 1")
    with pytest.raises(Conflict, match="not archived"):
        await projects.drop(project_name)
    await projects.archive(project_name)
    await projects.drop(project_name)
    assert await databases(project_name) is None
    with pytest.raises(NotFound):
        await projects.get(project_name)
    assert (await projects.create(project_name)).state == "ready"


async def test_archiving_shuts_out_other_servers_too(app, projects, project, settings) -> None:
    async with open_app(settings) as other:
        database = (await other.open(project)).database
        await database.fetch_text("SELECT 1")
        await projects.archive(project)
        with pytest.raises(NotFound, match="archived"):
            await database.fetch_text("SELECT 1")
        await projects.restore(project)
        assert await database.fetch_text("SELECT 1")


async def test_what_is_given_changes_and_the_rest_stays(projects, project) -> None:
    changed = await projects.update(project, description="new", root="/srv/r")
    assert (changed.description, changed.root_path, changed.settings) == ("new", "/srv/r", {})
    changed = await projects.update(project, root="", settings={"b": 2})
    assert (changed.description, changed.root_path, changed.settings) == ("new", None, {"b": 2})


async def test_more_creators_than_connections_do_not_wait_for_each_other(
    settings, project_name
) -> None:
    tight = replace(settings, pool_budget=8, registry_pool_max=5, acquire_timeout=20.0)
    async with open_app(tight) as app, asyncio.timeout(60):
        projects = await app.projects("test")
        made = await asyncio.gather(*(projects.create(f"{project_name}_{n}") for n in range(16)))
        assert {project.state for project in made} == {"ready"}
        assert app.started.pools.budget.used <= 8


async def test_many_first_uses_open_one_pool_and_ask_once(app, project, settings) -> None:
    async with open_app(settings) as fresh:
        await fresh.registry()
        opened = await asyncio.gather(*(fresh.open(project) for _ in range(50)))
        assert len({id(one.database) for one in opened}) == 1
        figures = fresh.started.pools.figures()
        assert list(figures["databases"]) == [settings.registry_database, f"project_{project}"]


async def test_a_cancelled_first_use_does_not_take_it_from_the_others(project, settings) -> None:
    async with open_app(settings) as fresh:
        await fresh.registry()
        first = asyncio.create_task(fresh.open(project))
        second = asyncio.create_task(fresh.open(project))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).name == project


async def test_the_project_is_the_one_whose_root_is_nearest(app, projects, project_name) -> None:
    outer, inner = f"{project_name}_o", f"{project_name}_i"
    await projects.create(outer, root="/srv/w")
    await projects.create(inner, root="/srv/w/sub")
    finder = app.started.finder
    assert (await finder.find("", Path("/srv/w/sub/deep")))[0] == inner
    assert (await finder.find("", Path("/srv/w/other")))[0] == outer
    assert (await finder.find(outer, Path("/srv/w/sub")))[0] == outer
    for folder in (Path("/srv/wider"), Path("/"), None):
        with pytest.raises(InvalidInput, match="No project was named"):
            await finder.find("", folder)


async def test_two_projects_with_one_root_are_told_apart_only_by_name(
    app, projects, project_name
) -> None:
    for end in "ab":
        await projects.create(project_name + end, root="/srv/same")
    with pytest.raises(InvalidInput, match="Several projects"):
        await app.open("", Path("/srv/same"))


async def test_a_pinned_server_serves_no_other_project(settings, project) -> None:
    async with open_app(replace(settings, project=project)) as pinned:
        assert (await pinned.open("")).name == project
        with pytest.raises(Forbidden):
            await pinned.open("other")


async def test_one_broken_project_does_not_keep_the_others_from_being_settled(
    app, projects, project_name, connect, databases
) -> None:
    broken, half = f"{project_name}_a", f"{project_name}_b"
    await projects.create(broken)
    await projects.create(half)
    registry = await app.registry()
    await registry.execute(
        make_query("unsettle", "UPDATE projects SET state = 'dropping' WHERE name = ANY ($1)"),
        [broken, half],
    )
    admin = await connect("postgres")
    # A database that is a template cannot be dropped.
    await admin.execute(f"ALTER DATABASE project_{broken} IS_TEMPLATE true")
    await app.started.provisioner.reconcile()
    assert await databases(half) is None
    assert await databases(broken) is True
    await admin.execute(f"ALTER DATABASE project_{broken} IS_TEMPLATE false")
    await app.started.provisioner.reconcile()
    assert await databases(broken) is None


async def test_a_project_left_half_made_is_finished(app, projects, project_name) -> None:
    registry = await app.registry()
    await projects.create(project_name)
    await registry.execute(
        make_query("unsettle", "UPDATE projects SET state = 'creating' WHERE name = $1"),
        project_name,
    )
    await app.started.provisioner.reconcile()
    assert (await projects.get(project_name)).state == "ready"


async def test_what_another_process_has_made_since_we_looked_is_no_strangers(app, project) -> None:
    await app.started.provisioner.prepare(project)


async def test_two_registries_on_one_server_never_share_a_projects_database(
    app: App, project: str, settings: Settings, connect, drop
) -> None:
    other = replace(settings, registry_database=f"{settings.registry_database}_b")
    async with open_app(other) as neighbour:
        projects = await neighbour.projects("test")
        with pytest.raises(Conflict, match="belongs to no project of this registry"):
            await projects.create(project)
        # Even one that a crash has left half-made is not finished over another's database.
        registry = await neighbour.registry()
        await registry.execute_text(
            f"INSERT INTO projects (name, database_name) VALUES ('{project}', 'project_{project}')"
        )
        with pytest.raises(Conflict, match="belongs to no project of this registry"):
            await projects.create(project)
        with pytest.raises(NotFound):
            await projects.get(project)
    database = (await app.open(project)).database
    assert database.name == f"project_{project}"
    await drop(await connect("postgres"), other.registry_database)


async def test_two_registries_that_start_together_share_one_template(
    settings: Settings, connect, drop, project_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unique = f"undercroft_template_{project_name}"

    async def template_name(_: object) -> str:
        return unique

    monkeypatch.setattr("undercroft.db.schemas.Schemas.template_name", template_name)
    registries = [f"{settings.registry_database}_{n}" for n in range(3)]

    async def begin(n: int) -> str:
        async with open_app(replace(settings, registry_database=registries[n])) as app:
            projects = await app.projects("test")
            return (await projects.create(f"{project_name}_{n}")).state

    try:
        assert await asyncio.gather(*(begin(n) for n in range(3))) == ["ready"] * 3
    finally:
        admin = await connect("postgres")
        for name in (*(f"project_{project_name}_{n}" for n in range(3)), unique, *registries):
            await drop(admin, name)
        for n in range(3):
            await admin.execute(f'DROP ROLE IF EXISTS "project_{project_name}_{n}"')


async def test_a_linked_worktree_has_the_project_of_its_main_checkout(
    app, projects, project_name, main_and_linked
) -> None:
    main, linked = main_and_linked
    (linked / "web").mkdir()
    above, its = f"{project_name}_a", f"{project_name}_m"
    await projects.create(above, root=str(main.parent))
    finder = app.started.finder
    assert (await finder.find("", linked)).name == above
    await projects.create(its, root=str(main))
    finder.forget(above)
    assert (await finder.find("", linked / "web")).name == its
    own = f"{project_name}_w"
    await projects.create(own, root=str(linked))
    finder.forget(its)
    assert (await finder.find("", linked / "web")).name == own
