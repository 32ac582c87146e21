"""The tree keeps the house rules that no linter knows."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

LONGEST_MODULE = 400
LONGEST_FUNCTION = 40


@pytest.fixture(scope="module")
def files(root: Path) -> list[Path]:
    """Every text file that is committed, or about to be."""
    command = ["git", "-c", f"safe.directory={root}", "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("this is no git checkout")
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def test_no_module_is_longer_than_a_room(files: list[Path]) -> None:
    counts = {f: len(f.read_text("utf-8").splitlines()) for f in files if f.suffix == ".py"}
    assert counts
    assert not {f: lines for f, lines in counts.items() if lines > LONGEST_MODULE}


def test_no_function_is_longer_than_a_page(files: list[Path]) -> None:
    long = [
        f"{file}:{node.lineno} {node.name}"
        for file in files
        if file.suffix == ".py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long


def test_no_file_names_the_place_where_it_was_written(files: list[Path], root: Path) -> None:
    places = {str(root), sys.prefix, sys.base_prefix} - {"/usr", "/usr/local", "/app", "/src"}
    found = [
        f"{file} names {place}"
        for file in files
        for place in places
        if place in file.read_text("utf-8", "replace")
    ]
    assert not found


def test_every_exemption_from_the_linter_has_its_reason(files: list[Path]) -> None:
    mark = "# " + "noqa"
    bare = [
        f"{file}:{number}"
        for file in files
        if file.suffix == ".py"
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if f"{mark}:" not in line and mark in line
    ]
    assert not bare


def test_the_lock_names_the_public_index_alone(root: Path) -> None:
    lock = tomllib.loads((root / "uv.lock").read_text("utf-8"))
    outside = [p for p in lock["package"] if p["source"] != {"editable": "."}]
    assert {str(p["source"]) for p in outside} == {"{'registry': 'https://pypi.org/simple'}"}
    archives = [a for p in outside for a in [*p.get("wheels", []), *filter(None, [p.get("sdist")])]]
    assert {urlsplit(a["url"]).hostname for a in archives} == {"files.pythonhosted.org"}
    assert all(a["hash"].startswith("sha256:") for a in archives)


def test_every_package_of_the_tree_has_its_sentence(root: Path) -> None:
    for init in (root / "server").rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(init.read_text("utf-8"))), init


def test_the_scripts_are_sound_shell(root: Path) -> None:
    shellcheck = Path(sys.executable).parent / "shellcheck"
    if not shellcheck.exists():
        pytest.skip("shellcheck comes for Linux on x86-64 only")
    scripts = [
        path
        for path in [*(root / "scripts").iterdir(), root / ".ci" / "run"]
        if path.is_file()
        and (path.suffix == ".sh" or path.read_bytes().startswith(b"#!/usr/bin/env bash"))
    ]
    assert len(scripts) > 5
    done = subprocess.run(
        [shellcheck, "-x", *scripts], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
