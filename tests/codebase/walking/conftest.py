"""A folder to be walked, and one outside of it that no walk may enter."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CANARY = b"canary from outside"


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "canary.py").write_bytes(CANARY)
    return folder


@pytest.fixture(params=["git", "plain"])
def root(tmp_path: Path, request) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    (folder / "own.py").write_text("own")
    if request.param == "git":
        git(folder, "init", "-q")
    return folder
