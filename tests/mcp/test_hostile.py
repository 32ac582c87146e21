"""Every tool under hostile input: no defect shows, and no answer says more than it should."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from undercroft.app import App
from undercroft.app.app import TOOLSETS
from undercroft.errors import InvalidInput, NotFound
from undercroft.mcp.call import Caller, Outcome
from undercroft.mcp.toolset import Tool
from undercroft.settings import Settings
from undercroft.timing.models import Task
from undercroft.work.tools import tools as work_tools

from .hostile import CURRENT, PORT, TIMERS, Known
from .hostile_work import at_work, likely

TOOLS = [tool for toolset in TOOLSETS for tool in toolset.tools]
CALLS = int(os.environ.get("HOSTILE_CALLS", "0")) or 120
"""Calls per tool; 120 of the same every time, or as many random ones as you ask for."""

CANARY = "canary5f2b81"
SECRET = f"secret value {CANARY} that nobody sees"
LEAKS = re.compile(
    r"""SELECT\s|INSERT\s+INTO|UPDATE\s+\w+\s+SET|\bFROM\s+\w+\.|workflow\.|entity_schemas|(?<!get_)entity_history
    |asyncpg|psycopg|pydantic|jsonschema_rs|DETAIL:|CONTEXT:|SQLSTATE|Traceback|File\ "|\.py\b
    |postgres(ql)?://|/server/undercroft|site-packages|/home/|/root/|/tmp/|/var/|\.s\.PGSQL
    |valid_data|valid_version|port_allocations|port_occupancy|UC[1-9]0|work_items|work_links
    |task_executions|valid_execution
    |idx_|_pkey|_fkey|undercroft_owner|object\ at\ 0x""",
    re.VERBOSE,
)


CODE = """package pool

// Renews a lease; a stale one is refused.
func renew(lease Lease, epoch int) error {
	return KeepLease(lease, epoch)
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with code, the only one that may be indexed."""
    (tmp_path / "code" / "pool").mkdir(parents=True)
    (tmp_path / "code" / "pool" / "lease.go").write_text(CODE)
    (tmp_path / "code" / "notes.txt").write_text(f"{CANARY}\n" * 30)
    (tmp_path / CANARY).write_text("outside")
    return tmp_path / "code"


@pytest.fixture
def settings(settings: Settings, folder: Path) -> Settings:
    return replace(settings, call_timeout=20.0, index_roots=str(folder))


@pytest.fixture
async def known(app: App, project: str, folder: Path) -> Known:
    """A project with records, a type of its own, a second project, and canaries in all of them."""
    entities = await app.entities(project, "ada")
    schema = {"properties": {"n": {"type": "integer"}}, "x-indexed": ["n"], "description": CANARY}
    await entities.types.define("made", schema, CANARY)
    ids = []
    for number in range(24):
        data = {"title": f"{CANARY} {number}", "status": "pending", "description": CANARY}
        made = await entities.create("task", data)
        ids.append(str(made.id))
        if number % 2:
            await entities.update(made.id, 1, patch={"status": "blocked"})
        if number % 4 > 1:
            await entities.delete(made.id, 1 + number % 2)
    await entities.create("made", {"n": 1, "text": CANARY})
    pages = [await entities.query("task", limit=2), await entities.query("task", limit=3)]
    cursors = [page.next_cursor for page in pages if page.next_cursor]
    await (await app.codebase(project)).index(folder, "code", wait=20)
    projects = await app.projects(CANARY)
    other = await projects.create(f"{project}_b", CANARY, f"/{CANARY}")
    await (await app.entities(other.name)).create("task", {"title": CANARY, "status": "pending"})
    ports = await app.ports(CANARY)
    await ports.allocate(project, ["web"], worktree=str(folder), preferred=PORT)
    secrets = await app.secrets(project, "ada")
    await secrets.set_all(dict.fromkeys(("task", "made", "kind_2"), SECRET))
    await secrets.generate("renew", "password")
    await secrets.schedule_rotation("made", 30)
    held = await ports.reserve(project, 2, purpose=CANARY)
    timing = await app.timing(project, CANARY)
    work = await app.work(project, CANARY)
    task = {"type": "item", "kind": "task", "title": CANARY, "status": "pending"}
    await work.import_text("\n".join(json.dumps({**task, "id": item}) for item in TIMERS))
    for item in TIMERS:
        await timing.start(Task(title=CANARY, kind="bug", own_minutes=60), item=item)
    await timing.record(Task(title=CANARY, kind="bug", own_minutes=60), 30)
    return Known(project, ids, cursors, str(held.reservation))


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # they are large on purpose
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_hostile_calls_find_no_defect_and_learn_nothing(
    app: App, known: Known, folder: Path, tool: Tool
) -> None:
    room = {}
    if tool in work_tools.tools:
        room = likely(await at_work(await app.work(known.project, "ada"), CANARY))

    @hypothesis_settings(
        max_examples=CALLS,
        deadline=None,
        derandomize="HOSTILE_CALLS" not in os.environ,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(arguments=known.arguments(tool.input_schema, room))
    def plan(arguments: dict[str, Any]) -> None:
        attacks.append(arguments)

    attacks: list[dict[str, Any]] = []
    plan()
    codes: Counter[str] = Counter()
    for attack in attacks:
        changes = {"version", "changes"} & set(tool.input_schema["properties"])
        arguments = await with_current_versions(app, known.project, attack) if changes else attack
        outcome = await app.boundary.call(
            tool.name, arguments, Caller(actor="hostile", folder=folder)
        )
        assert_harmless(outcome, arguments)
        codes[outcome.body.get("code", "ok")] += 1
    print(tool.name, dict(codes))
    # Attacks that all stop at the first check would prove little.
    assert codes["ok"] >= 1
    assert len(attacks) >= 0.9 * CALLS
    # Whatever happened, honest work goes on.
    whole = await app.boundary.call("list_projects", {}, Caller(actor="honest"))
    assert not whole.failed


def test_all_tools_together_get_two_thousand_calls() -> None:
    assert len(TOOLS) * 120 * 0.9 >= 2_000


async def with_current_versions(app: App, project: str, given: Any) -> Any:
    """The arguments with the versions that their records have now, where they ask for these."""
    if isinstance(given, list):
        return [await with_current_versions(app, project, item) for item in given]
    if not isinstance(given, dict):
        return given
    entities = await app.entities(project)
    full = {**given}
    if isinstance(given.get("changes"), list):
        full["changes"] = await with_current_versions(app, project, given["changes"])
    if given.get("version") == CURRENT and str(given.get("id")).startswith("w-"):
        with suppress(InvalidInput, NotFound):
            full["version"] = (await (await app.work(project)).get(given["id"])).version
    elif given.get("version") == CURRENT and isinstance(given.get("id"), str):
        with suppress(ValueError, NotFound):
            record = await entities.get(UUID(given["id"]), include_deleted=True)
            full["version"] = record.version
    return full


def assert_harmless(outcome: Outcome, arguments: dict[str, Any]) -> None:
    body = json.loads(outcome.text, parse_constant=_refuse_constant)
    assert SECRET not in outcome.text
    if not outcome.failed:
        return
    assert body["code"] != "internal", arguments
    assert set(body) <= {"code", "message", "hint", "retryable", "data", "call_id"}
    given = json.dumps(arguments, ensure_ascii=False)
    assert CANARY not in outcome.text, arguments
    for leak in LEAKS.finditer(outcome.text):
        assert leak[0] in given, (outcome.text, arguments)
    assert len(outcome.text) < 10_000


def _refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")
