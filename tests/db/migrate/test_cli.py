"""`undercroft migrate`, as a person and as a program use it."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from undercroft.db.migrate.files import load_line
from undercroft.db.migrate.new import new_pair
from undercroft.errors import InvalidInput


@pytest.fixture
async def undercroft(postgres, tmp_path: Path) -> AsyncIterator[Callable[..., str]]:
    """Runs the command against the test's PostgreSQL, with a registry of its own."""
    registry = f"registry_{uuid4().hex[:8]}"
    async with postgres.session("postgres") as connection:
        await connection.execute(
            "DO $$BEGIN CREATE ROLE clerk LOGIN CREATEDB CREATEROLE;"
            "EXCEPTION WHEN duplicate_object THEN END$$"
        )
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "UNDERCROFT_DATABASE_URL": f"postgresql://clerk@/postgres?host={postgres.address}",
        "UNDERCROFT_REGISTRY_DATABASE": registry,
        "UNDERCROFT_LOG_LEVEL": "error",
        "UNDERCROFT_HOME": str(tmp_path),
    }

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "undercroft", "migrate", *words],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stdout + done.stderr

    yield run
    async with postgres.session("postgres") as connection:
        await connection.execute(f"DROP DATABASE IF EXISTS {registry} WITH (FORCE)")


def test_a_new_server_is_brought_up_checked_and_taken_back(undercroft) -> None:
    latest = load_line("registry").latest
    undercroft("up")
    assert f"registry  registry  current, version {latest:04}" in undercroft("status")
    assert undercroft("verify") == "registry  registry  valid\n"
    assert "Say --yes" in undercroft("down", "--line", "registry", status=2)
    assert "would be taken back" in undercroft("down", "--line", "registry", "--dry-run")
    undercroft("down", "--line", "registry", "--to", "0", "--yes")
    status = json.loads(undercroft("status", "--json"))["databases"][0]
    assert (status["state"], status["version"], status["latest"]) == ("pending", 0, latest)
    planned = json.loads(undercroft("up", "--dry-run", "--json"))
    assert planned["ok"]
    assert len(planned["databases"][0]["steps"]) == latest
    assert not json.loads(undercroft("verify", "--json", status=1).partition("\n\n")[0])["ok"]


def test_a_project_that_is_not_there_is_named(undercroft) -> None:
    assert "no project 'nobody'" in undercroft("status", "--project", "nobody", status=3)


def test_a_new_pair_takes_the_next_number(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    first = new_pair("project", "add_beds", tmp_path)
    second = new_pair("project", "add_due_dates", tmp_path)
    assert [p.name for p in (*first, *second)] == [
        "0001_add_beds.up.sql",
        "0001_add_beds.down.sql",
        "0002_add_due_dates.up.sql",
        "0002_add_due_dates.down.sql",
    ]
    assert load_line("project", tmp_path).latest == 2
    with pytest.raises(InvalidInput, match="no name for a migration"):
        new_pair("project", "Add Beds", tmp_path)
