"""Repositories made to lead git astray: no program of theirs runs, nothing of theirs steers."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from undercroft.codebase.walking import walk

from .conftest import git
from .test_hostile import everything

RUNNING = {
    "fsmonitor": ["core.fsmonitor", "{program}"],
    "hooks": ["core.hooksPath", "{hooks}"],
    "pager": ["pager.ls-files", "{program}"],
    "core pager": ["core.pager", "{program}"],
    "alias": ["alias.ls-files", "!{program}"],
    "virtual files": ["core.virtualfilesystem", "{program}"],
    "ssh": ["core.sshCommand", "{program}"],
    "filter": ["filter.x.clean", "{program}"],
    "editor": ["core.editor", "{program}"],
    "credentials": ["credential.helper", "!{program}"],
}


@pytest.mark.parametrize("way", RUNNING)
def test_no_program_that_a_repository_names_is_run(tmp_path: Path, way: str) -> None:
    program, ran, hooks = tmp_path / "program", tmp_path / "ran", tmp_path / "hooks"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    program.chmod(0o755)
    hooks.mkdir()
    for event in ("post-index-change", "fsmonitor-watchman", "post-checkout"):
        shutil.copy(program, hooks / event)
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    (root / ".gitattributes").write_text("* filter=x\n")
    (root / "a.py").write_text("x")
    git(root, "add", "a.py")
    for hook in hooks.iterdir():
        shutil.copy(hook, root / ".git/hooks")
    name, value = RUNNING[way]
    git(root, "config", name, value.format(program=program, hooks=hooks))
    (root / "a.py").write_text("changed")
    found = walk(root)
    assert [file.path for file in found.files] == [".gitattributes", "a.py"]
    assert found.by_git
    assert not ran.exists()


def test_a_program_named_git_in_the_folder_is_not_run(tmp_path: Path, monkeypatch) -> None:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    (root / "git").write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    (root / "git").chmod(0o755)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f".:{os.environ['PATH']}")
    assert [file.path for file in walk(root).files] == ["git"]
    assert not (tmp_path / "ran").exists()


def test_git_finds_none_of_our_keys(tmp_path: Path, monkeypatch) -> None:
    real, root, seen = shutil.which("git"), tmp_path / "root", tmp_path / "seen"
    root.mkdir()
    git(root, "init", "-q")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\nenv > '{seen}'\nexec '{real}' \"$@\"\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for name in ("KEY", "OLD_KEYS", "TOKEN", "DATABASE_URL", "EMBEDDING_KEY"):
        monkeypatch.setenv(f"UNDERCROFT_{name}", "canary")
    assert walk(root).by_git
    assert "canary" not in seen.read_text()
    assert f"{programs}:" in seen.read_text()


def test_a_work_tree_elsewhere_in_the_configuration_is_not_followed(
    tmp_path: Path, outside: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    (root / "own.py").write_text("own")
    git(root, "config", "core.worktree", str(outside))
    found = walk(root)
    assert everything(root, found) == {"own.py": b"own"}
    assert found.by_git


def test_variables_that_steer_git_do_not_steer_the_walk(
    tmp_path: Path, outside: Path, monkeypatch
) -> None:
    git(outside, "init", "-q")
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    (root / "own.py").write_text("own")
    monkeypatch.setenv("GIT_DIR", str(outside / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outside))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outside / "index"))
    assert everything(root, walk(root)) == {"own.py": b"own"}


@pytest.mark.parametrize(
    "place", [".gitignore", ".git/info/exclude", ".git/index", ".git/config", ".git/HEAD"]
)
def test_a_pipe_where_git_reads_does_not_hang_the_walk(tmp_path: Path, place: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    git(root, "init", "-q")
    (root / "a.py").write_text("x")
    (root / place).unlink(missing_ok=True)
    os.mkfifo(root / place)
    begin = time.monotonic()
    found = walk(root, patience=0.5)
    assert time.monotonic() - begin < 10
    assert [file.path for file in found.files] == ["a.py"]


def test_a_repository_of_another_user_is_listed(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("gives files away")
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("x")
    subprocess.run(["chown", "-R", "65534:65534", str(tmp_path)], check=True)
    found = walk(tmp_path)
    assert ([file.path for file in found.files], found.by_git) == (["a.py"], True)


def test_a_repository_that_somebody_planted_above_the_root_is_not_asked(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("gives files away")
    root = tmp_path / "mine"
    root.mkdir()
    (root / "a.py").write_text("x")
    git(tmp_path, "init", "-q")
    assert walk(root).by_git
    subprocess.run(["chown", "-R", "65534:65534", str(tmp_path / ".git")], check=True)
    found = walk(root)
    assert ([file.path for file in found.files], found.by_git) == (["a.py"], False)


def test_nothing_is_written_to_the_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("x")
    git(tmp_path, "add", ".")
    (tmp_path / "a.py").touch()

    def state() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))

    before = state()
    walk(tmp_path)
    assert state() == before


@pytest.mark.parametrize("way", ["pointer", "link"])
def test_names_of_a_repository_elsewhere_are_not_told(
    tmp_path: Path, outside: Path, way: str
) -> None:
    for folder in ("folder", "node_modules"):
        (outside / folder).mkdir()
        (outside / folder / "private_name.py").write_text("x")
    git(outside, "init", "-q")
    git(outside, "add", ".")
    root = tmp_path / "root"
    root.mkdir()
    if way == "pointer":
        (root / ".git").write_text(f"gitdir: {outside}/.git\n")
    else:
        (root / ".git").symlink_to(outside / ".git")
    (root / "folder").symlink_to(outside / "folder")
    found = walk(root)
    assert found.by_git
    assert found.omissions.counts == {"link": 2, "vendored": 1}
    assert found.omissions.examples["vendored"] == ["node_modules/"]
    assert "private_name" not in str(found)


def test_an_index_with_everything_ignored_says_so(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert walk(tmp_path).omissions.counts == {}
    (tmp_path / "a.py").write_text("x")
    (tmp_path / ".gitignore").write_text("*\n")
    found = walk(tmp_path)
    assert (found.files, found.by_git) == ([], True)
    assert found.omissions.counts == {"ignored": 1}


def test_many_repositories_that_make_git_wait_are_waited_for_once(tmp_path: Path) -> None:
    for number in range(12):
        inner = tmp_path / f"inner_{number}"
        inner.mkdir()
        git(inner, "init", "-q")
        (inner / "a.py").write_text("x")
        (inner / ".git/info/exclude").unlink()
        os.mkfifo(inner / ".git/info/exclude")
    begin = time.monotonic()
    found = walk(tmp_path, patience=1.0)
    assert len(found.files) == 12
    assert time.monotonic() - begin < 8
