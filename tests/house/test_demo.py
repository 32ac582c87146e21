"""`undercroft demo` shows what it says, fails when it does not, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from undercroft.demo.material import Material, gather
from undercroft.demo.script import BrokenPromise, show
from undercroft.demo.stage import Stage
from undercroft.demo.transcript import Transcript, shortened
from undercroft.settings import Settings


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A checkout with three commits, one of them with an odd subject."""
    folder = tmp_path / "a checkout"
    folder.mkdir()
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false"]

    def git(*words: str) -> None:
        subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    for number, subject in enumerate(("Begin", 'Say "hello" | grüß\\x1f', "Grow"), 1):
        (folder / "file").write_text("line\n" * number)
        git("add", "file")
        git("commit", "--quiet", "-m", subject)
    return folder


def test_the_demonstration_works_and_leaves_nothing(history: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": os.pathsep.join(sys.path)}
    env = {name: value for name, value in env.items() if not name.startswith("UNDERCROFT_")}
    command = [sys.executable, "-m", "undercroft", "demo"]
    done = subprocess.run(
        command, cwd=history, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 files are searchable" in done.stdout
    assert "an answer to “Grow” is found" in done.stdout
    assert "3 records are stored" in done.stdout
    assert "key ***SHOP_KEY***" in done.stdout
    assert "Every step did what it says" in done.stdout
    assert "\x1b" not in done.stdout, "colours without a terminal"
    assert not list(scratch.glob("undercroft-demo-*"))
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(scratch) in str(p.info)]


def test_a_history_becomes_records(history: Path) -> None:
    material = gather(history)
    assert material.type == "commit"
    subjects = [record["subject"] for record in material.records]
    assert subjects == ["Grow", 'Say "hello" | grüß\\x1f', "Begin"]
    assert material.records[0]["author"] == "Ada"
    assert {(r["files"], r["insertions"]) for r in material.records} == {(1, 1)}


def test_without_a_history_the_installed_packages_serve(tmp_path: Path) -> None:
    material = gather(tmp_path)
    assert material.type == "distribution"
    assert "mcp" in {record["name"] for record in material.records}


def own(material: Material) -> Material:
    """The same under a schema that its own records break."""
    broken = {**material.schema, "required": ["nobody has this"]}
    return replace(material, schema=broken)


async def test_a_step_that_fails_ends_the_demonstration(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setenv("UNDERCROFT_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("UNDERCROFT_REGISTRY_DATABASE", settings.registry_database)
    told = io.StringIO()
    stage = Stage(scratch=tmp_path, settings=settings)
    with pytest.raises(BrokenPromise, match="create_entities should succeed"):
        await show(stage, own(gather(tmp_path)), Transcript(Console(file=told)))
    assert "Every step did what it says" not in told.getvalue()


async def test_a_server_that_cannot_start_is_a_failure_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BrokenPromise, match="did not come to terms"):
        await show(
            Stage(scratch=tmp_path), gather(tmp_path), Transcript(Console(file=io.StringIO()))
        )


def test_long_answers_are_shortened() -> None:
    assert shortened({"items": list(range(9))}) == {"items": [0, "… 8 more"]}
    assert shortened("x" * 100).endswith("x…")
    nested = shortened({"data": {str(n): n for n in range(9)}})
    assert nested == {"data": {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "…": "4 more"}}
