"""What the boundary does once for all tools, seen with tools made for the purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from undercroft.app import App
from undercroft.db.database import Database
from undercroft.db.queries import make_query
from undercroft.errors import Conflict
from undercroft.mcp.boundary import Boundary
from undercroft.mcp.call import Caller, Outcome
from undercroft.mcp.toolset import Toolset, choose
from undercroft.progress import Progress

INSERT = make_query("insert_note", "INSERT INTO notes (text) VALUES ($1) RETURNING id")
COUNT = make_query("count_notes", "SELECT count(*) FROM notes")
WAIT = make_query("wait", "SELECT pg_sleep($1)")
SECRET = "postgresql://root:hunter2@db.internal/x SELECT * FROM vault /var/lib/secret"


class Notes:
    """A service as small as can be."""

    def __init__(self, db: Database) -> None:
        self.db = db


tools = Toolset("notes")


@tools.write
async def add_note(notes: Notes, text: str) -> dict[str, Any]:
    """Add a note."""
    return {"id": await notes.db.fetch_value(INSERT, text), "actor": notes.db.actor}


@tools.write
async def add_two(notes: Notes, text: str) -> dict[str, Any]:
    """Add two notes, then fail."""
    await notes.db.fetch_value(INSERT, text)
    raise Conflict("after the first")


@tools.read
async def count_notes(notes: Notes, times: int = 1, deep: dict[str, Any] = {}) -> dict[str, Any]:  # noqa: B006
    """Count them."""
    return {"count": await notes.db.fetch_value(COUNT) * times, "deep": deep}


@tools.read
async def crash(notes: Notes) -> dict[str, Any]:
    """Fail in a way that nobody foresaw."""
    raise RuntimeError(SECRET)


@tools.read
async def wait(notes: Notes, seconds: float) -> dict[str, Any]:
    """Wait in the database."""
    await notes.db.fetch_value(WAIT, seconds)
    return {}


@tools.write
async def wait_and_write(notes: Notes, seconds: float) -> dict[str, Any]:
    """Wait in the database, as a write."""
    await notes.db.fetch_value(WAIT, seconds)
    return {}


@tools.read
async def shout(notes: Notes, size: int) -> dict[str, Any]:
    """Answer at length."""
    return {"text": "x" * size}


@tools.read
async def report(notes: Notes, progress: Progress) -> dict[str, Any]:
    """Report progress."""
    await progress(1, 2, "half")
    return {}


@tools.write(toolset="rare")
async def rare(notes: Notes) -> dict[str, Any]:
    """Be rarely needed."""
    return {}


Run = Callable[..., Any]


@pytest.fixture
async def table(project_db: Database) -> Database:
    """A project with a table that the application's role may write."""
    await project_db.execute_text(
        "CREATE TEMPORARY TABLE unused (x int);"
        "SET ROLE undercroft_owner; CREATE TABLE public.notes (id int GENERATED ALWAYS AS IDENTITY,"
        " text text); GRANT ALL ON public.notes TO undercroft; RESET ROLE; DROP TABLE unused"
    )
    return project_db


def boundary_over(app: App, *, timeout: float = 20, read_only: bool = False) -> Boundary:
    catalog = choose([tools], "default", read_only=read_only)
    return Boundary(
        catalog=catalog,
        hidden={"rare": "Start it with --toolsets default,rare."},
        directory=app,
        services={Notes: Notes},
        timeout=timeout,
    )


@pytest.fixture
def run(app: App, project: str, table: Database) -> Run:
    """Call a tool of this file in the project."""
    boundary = boundary_over(app)

    async def run(tool: str, **arguments: Any) -> Outcome:
        return await boundary.call(tool, {"project": project, **arguments}, Caller(actor="ann"))

    return run


async def test_a_result_names_its_project_and_carries_the_same_as_text(
    run: Run, project: str
) -> None:
    outcome = await run("add_note", text="a")
    assert outcome.body == {"project": project, "id": 1, "actor": "ann"}
    assert json.loads(outcome.text) == outcome.body
    assert " " not in outcome.text


async def test_an_unknown_argument_is_refused_and_the_nearest_named(run: Run) -> None:
    body = (await run("add_note", txt="a")).body
    assert body["code"] == "invalid_input"
    assert body["hint"] == "Did you mean text?"


async def test_a_missing_or_misfitting_argument_is_named(run: Run) -> None:
    assert "'text'" in (await run("add_note")).body["message"]
    assert "'times'" in (await run("count_notes", times="many")).body["message"]


async def test_an_object_sent_as_json_text_is_unfolded(run: Run) -> None:
    assert (await run("count_notes", deep='{"a": [1]}')).body["deep"] == {"a": [1]}


async def test_a_text_that_looks_like_json_stays_a_text(run: Run) -> None:
    assert (await run("add_note", text='{"a": 1}')).body["id"] == 1


@pytest.mark.parametrize(
    "hostile",
    [
        {"a": "\x00"},
        {"a": "\ud800"},
        {"a": float("nan")},
        {"a": float("-inf")},
        {"a": 10**400},
        {"\x00": 1},
        '{"a": "\\u0000"}',
    ],
)
async def test_what_cannot_be_stored_is_refused_before_any_tool(run: Run, hostile: Any) -> None:
    assert (await run("count_notes", deep=hostile)).body["code"] == "invalid_input"


async def test_what_is_nested_too_deep_is_refused(run: Run) -> None:
    deep: Any = 1
    for _ in range(70):
        deep = {"a": deep}
    assert (await run("count_notes", deep=deep)).body["code"] == "limit_reached"


async def test_a_defect_shows_nothing_but_its_call_id(run: Run) -> None:
    with capture_logs() as logs:
        outcome = await run("crash")
        await asyncio.sleep(0)
    assert outcome.body["code"] == "internal"
    for word in SECRET.split():
        assert word not in outcome.text
    ids = {entry["call_id"] for entry in logs}
    assert ids == {outcome.body["call_id"]}


async def test_each_call_writes_one_line_with_what_matters(run: Run, project: str) -> None:
    with capture_logs() as logs:
        await run("count_notes")
        await asyncio.sleep(0)
    (line,) = [entry for entry in logs if entry["event"] == "call"]
    assert {"tool": "count_notes", "project": project, "actor": "ann", "outcome": "ok"}.items() <= (
        line.items()
    )
    assert line["ms"] > 0


async def test_values_are_never_logged(run: Run) -> None:
    with capture_logs() as logs:
        await run("add_note", text="hunter2", idempotency_key="hunter3")
        await run("add_note", txt="hunter2")
        await asyncio.sleep(0)
    assert len(logs) == 2
    assert "hunter" not in str(logs)


async def test_a_read_past_its_deadline_is_ended_in_the_database(
    app: App, project: str, table: Database
) -> None:
    boundary = boundary_over(app, timeout=0.2)
    outcome = await boundary.call("wait", {"project": project, "seconds": 30}, Caller(actor="ann"))
    assert outcome.body["code"] == "unavailable"
    outcome = await boundary.call(
        "wait_and_write", {"project": project, "seconds": 30}, Caller(actor="ann")
    )
    assert outcome.body["code"] == "outcome_unknown"
    running = make_query(
        "running",
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
        " AND pid <> pg_backend_pid() AND datname = current_database()",
    )
    async with asyncio.timeout(10):
        while await table.fetch_value(running):
            await asyncio.sleep(0.01)


async def test_a_result_longer_than_a_client_takes_is_refused(run: Run) -> None:
    assert (await run("shout", size=39_000)).failed is False
    body = (await run("shout", size=41_000)).body
    assert body["code"] == "limit_reached"


async def test_progress_reaches_the_caller(app: App, project: str, table: Database) -> None:
    heard: list[tuple[float, float | None, str]] = []

    async def listen(done: float, total: float | None = None, message: str = "") -> None:
        heard.append((done, total, message))

    caller = Caller(actor="ann", progress=listen)
    await boundary_over(app).call("report", {"project": project}, caller)
    assert heard == [(1, 2, "half")]


async def test_a_read_only_server_offers_and_runs_no_write(
    app: App, project: str, table: Database
) -> None:
    boundary = boundary_over(app, read_only=True)
    assert all(not tool.writes for tool in boundary.catalog)
    outcome = await boundary.call("add_note", {"project": project, "text": "a"}, Caller(actor="a"))
    assert outcome.failed
    assert await table.fetch_value(COUNT) == 0


async def test_a_tool_of_another_toolset_says_how_to_get_it(run: Run) -> None:
    body = (await run("rare")).body
    assert (body["code"], "--toolsets" in body["hint"]) == ("forbidden", True)


async def test_an_unknown_tool_is_answered_with_the_nearest(run: Run) -> None:
    assert (await run("ad_note")).body["hint"] == "Did you mean add_note?"


async def test_the_same_key_does_the_work_once(run: Run, table: Database) -> None:
    first = await run("add_note", text="a", idempotency_key="k")
    again = await run("add_note", text="a", idempotency_key="k")
    assert again.body == first.body
    assert await table.fetch_value(COUNT) == 1


async def test_a_key_with_other_arguments_is_refused(run: Run, table: Database) -> None:
    await run("add_note", text="a", idempotency_key="k")
    assert (await run("add_note", text="b", idempotency_key="k")).body["code"] == "conflict"
    assert await table.fetch_value(COUNT) == 1


async def test_a_failed_call_leaves_its_key_free(run: Run, table: Database) -> None:
    assert (await run("add_two", text="a", idempotency_key="k")).body["code"] == "conflict"
    assert await table.fetch_value(COUNT) == 0
    assert (await run("add_note", text="a", idempotency_key="k")).failed is False


async def test_twenty_calls_with_one_key_at_once_do_the_work_once(
    run: Run, table: Database
) -> None:
    outcomes = await asyncio.gather(
        *(run("add_note", text="a", idempotency_key="k") for _ in range(20))
    )
    assert {outcome.text for outcome in outcomes} == {outcomes[0].text}
    assert await table.fetch_value(COUNT) == 1


async def test_a_project_is_found_by_the_folder_of_the_caller(
    app: App, project: str, table: Database
) -> None:
    projects = await app.projects("test")
    await projects.update(project, root="/somewhere/app")
    inside = Caller(actor="ann", folder=Path("/somewhere/app/src"))
    outcome = await boundary_over(app).call("count_notes", {}, inside)
    assert outcome.body["project"] == project


async def test_without_a_name_and_a_folder_the_candidates_are_listed(
    app: App, project: str, table: Database
) -> None:
    elsewhere = Caller(actor="ann", folder=Path("/nowhere"))
    body = (await boundary_over(app).call("count_notes", {}, elsewhere)).body
    assert body["code"] == "invalid_input"
    assert project in body["hint"]


async def test_two_projects_with_the_same_root_are_ambiguous(
    app: App, project: str, table: Database, project_name: str
) -> None:
    projects = await app.projects("test")
    await projects.update(project, root="/twice")
    other = f"{project_name[:40]}_b"
    await projects.create(other, root="/twice")
    body = (
        await boundary_over(app).call("count_notes", {}, Caller(actor="ann", folder=Path("/twice")))
    ).body
    assert body["code"] == "invalid_input"
    assert project in body["hint"]
    assert other in body["hint"]


async def test_draining_waits_for_the_calls_in_flight(
    app: App, project: str, table: Database
) -> None:
    boundary = boundary_over(app)
    running = asyncio.create_task(
        boundary.call("wait", {"project": project, "seconds": 0.2}, Caller(actor="ann"))
    )
    while not boundary.in_flight:
        await asyncio.sleep(0)
    assert await boundary.drain(10)
    assert (await running).failed is False
