"""`undercroft index` and `undercroft search`, as a person types them in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .test_tools import Run, cli

__all__ = ["cli"]


@pytest.fixture
def folder(tmp_path: Path, project_name: str) -> Path:
    folder = tmp_path / project_name
    folder.mkdir()
    (folder / "limits.py").write_text(
        "def refill(bucket):\n"
        '    """Refill the token bucket of the rate limiter."""\n'
        "    bucket.add(1)\n"
    )
    (folder / "logo.bin").write_bytes(b"\0\1\2" * 50)
    return folder


def test_a_folder_is_searchable_without_any_preparation(
    cli: Run, folder: Path, project_name: str
) -> None:
    indexed = cli("index", folder.name, "--json")
    assert indexed.returncode == 0, indexed.stderr
    done = json.loads(indexed.stdout)
    assert (done["status"], done["files"]) == ("completed", 1)
    assert done["omitted"]["binary"] == {"count": 1, "examples": ["logo.bin"]}
    found = cli("--project", project_name, "search", "rate", "limiting", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["items"][0]["path"] == "limits.py"


def test_a_person_sees_the_place_the_lines_and_what_was_left_out(
    cli: Run, folder: Path, project_name: str
) -> None:
    told = cli("index", folder.name).stdout
    assert f"{project_name}: 1 files" in told
    assert "binary" in told
    shown = cli("--project", project_name, "search", "refill").stdout
    assert "limits.py:1-3" in shown
    assert "token bucket" in shown
    nothing = cli("--project", project_name, "search", "refill", "--path", "none/*")
    assert (nothing.returncode, nothing.stdout.strip()) == (3, "Nothing was found.")


def test_the_first_search_in_a_folder_indexes_it(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "greeting.py").write_text("def greet(name):\n    return f'hello {name}'\n")
    found = cli("search", "greet", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["items"][0]["path"] == "greeting.py"


def test_a_folder_that_is_not_there_is_refused(cli: Run, tmp_path: Path) -> None:
    refused = cli("index", "nowhere")
    assert refused.returncode == 2
    assert "There is no folder" in refused.stderr
    assert "nowhere" not in cli("project", "list").stdout
