"""Trees made to lead a walk out of its root, to stop it or to make it run something."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from undercroft.codebase.walking import FoundFile, Walk, read, walk
from undercroft.codebase.walking.beneath import Ladder, Left

CANARY = b"canary from outside"


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def everything(root: Path, found: Walk) -> dict[str, bytes | str]:
    return {file.path: read(root, file) for file in found.files}


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


def test_links_lead_nowhere_and_are_counted(root: Path, outside: Path) -> None:
    (root / "file.py").symlink_to(outside / "canary.py")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "self").symlink_to("self")
    (root / "dangling").symlink_to("nowhere")
    (root / "own_link.py").symlink_to("own.py")
    found = walk(root)
    assert everything(root, found) == {"own.py": b"own"}
    assert found.omissions.counts == {"link": 6}


def test_a_tracked_file_whose_folder_became_a_link_is_not_read(
    tmp_path: Path, outside: Path
) -> None:
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder/canary.py").write_text("own")
    git(root, "init", "-q")
    git(root, "add", ".")
    before = walk(root).files[0]
    shutil.rmtree(root / "folder")
    (root / "folder").symlink_to(outside)
    found = walk(root)
    assert found.files == []
    assert found.omissions.counts["link"] == 2
    assert read(root, before) == "link"


@pytest.mark.parametrize(
    "path",
    [
        "../outside/canary.py",
        "a/../../outside/canary.py",
        "/etc/passwd",
        "..",
        "",
        "a//b",
        "./own.py",
    ],
)
def test_a_path_that_is_no_plain_path_is_refused(root: Path, outside: Path, path: str) -> None:
    (root / "a").mkdir()
    assert read(root, FoundFile(path, 1, 1, 1)) in {"outside", "gone"}


def test_pipes_sockets_and_devices_are_left_out_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    count = 1
    place = root / "s.py"
    with socket.socket(socket.AF_UNIX) as listener:
        if len(str(place)) < 100:
            listener.bind(str(place))
            count += 1
    if os.geteuid() == 0:
        try:
            os.mknod(root / "zero.py", 0o666 | 0o020000, os.makedev(1, 5))
            count += 1
        except PermissionError:
            pass
    found = walk(root)
    assert everything(root, found) == {"own.py": b"own"}
    # Git lists neither pipes nor sockets nor devices that are not tracked.
    assert found.omissions.counts == ({} if found.by_git else {"special": count})
    for name in ("pipe.py", "s.py", "zero.py"):
        if os.path.lexists(root / name):
            assert read(root, FoundFile(name, 1, 1, 1)) == "special"


def test_odd_names_are_counted_or_found_and_never_break_the_walk(root: Path) -> None:
    odd = [b"new\nline.py", b"bad\xff.py", b"tab\t.py", b"esc\x1b[31m.py", b"\xe2\x80\xae.py"]
    fine = [
        "ümlaut.py",
        "日本語.py",
        "sp ace.py",
        "-dash.py",
        "quote'\".py",
        "x" * 252 + ".py",
        "*.py",
    ]
    for name in [*odd, *map(os.fsencode, fine)]:
        (root / os.fsdecode(name)).write_bytes(b"x")
    found = walk(root)
    assert [file.path for file in found.files] == sorted(["own.py", *fine])
    assert found.omissions.counts == {"name": len(odd)}
    assert all(example.isprintable() for example in found.omissions.examples["name"])


def test_a_folder_with_a_bad_name_is_counted(root: Path) -> None:
    folder = root / os.fsdecode(b"bad\xfe")
    folder.mkdir()
    (folder / "a.py").touch()
    found = walk(root)
    assert [file.path for file in found.files] == ["own.py"]
    assert found.omissions.counts == {"name": 1}


def test_folders_without_end_stop_at_a_depth(root: Path) -> None:
    here = os.open(root, os.O_RDONLY)
    for depth in range(800):
        name = f"d{depth % 7}"
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
        if depth in {50, 700}:
            os.close(os.open("a.py", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    begin = time.monotonic()
    found = walk(root)
    assert time.monotonic() - begin < 20
    assert [path.path.count("/") for path in found.files] == [51, 0]
    assert found.omissions.counts == {"deep": 1}
    subprocess.run(["rm", "-rf", str(root)], check=True)


def test_a_huge_folder_is_walked(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for number in range(20_000):
        os.close(os.open(f"f{number}.py", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    assert len(walk(tmp_path).files) == 20_000
    stopped = walk(tmp_path, max_files=100)
    assert (len(stopped.files), stopped.truncated) == (100, True)


def test_many_empty_folders_end_the_walk_truncated(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"d{number}").mkdir()
    assert walk(tmp_path, max_files=20).truncated


def test_an_unreadable_folder_or_file_is_counted() -> None:
    if os.geteuid():
        pytest.skip("becomes another user")
    root = Path(tempfile.mkdtemp())
    try:
        (root / "closed").mkdir()
        (root / "closed/a.py").write_text("x")
        (root / "private.py").write_text("x")
        (root / "open.py").write_text("x")
        root.chmod(0o755)
        (root / "closed").chmod(0)
        (root / "private.py").chmod(0)
        os.seteuid(65534)
        try:
            found = walk(root)
            answers = everything(root, found)
        finally:
            os.seteuid(0)
        assert answers == {"open.py": b"x", "private.py": "unreadable"}
        assert found.omissions.counts == {"unreadable": 1}
    finally:
        shutil.rmtree(root)


def test_another_file_system_and_a_bind_mount_are_left_out(root: Path, outside: Path) -> None:
    for name in ("memory", "bound"):
        (root / name).mkdir()
    mounts: list[list[str | Path]] = [
        ["-t", "tmpfs", "none", root / "memory"],
        ["--bind", outside, root / "bound"],
    ]
    done: list[str | Path] = []
    try:
        for words in mounts:
            if subprocess.run(["mount", *words], capture_output=True, check=False).returncode:
                pytest.skip("may not mount")
            done.append(words[-1])
        (root / "memory/a.py").write_text("x")
        found = walk(root)
        assert everything(root, found) == {"own.py": b"own"}
        assert found.omissions.counts == {"mount": 2}
    finally:
        for place in done:
            subprocess.run(["umount", place], check=True)


def test_a_folder_that_fails_once_fails_again(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)
    with Ladder(root) as ladder:
        for _ in range(2):
            with pytest.raises(Left, match="link"):
                ladder.enter("link")
        with os.scandir(ladder.enter("")) as entries:
            assert {entry.name for entry in entries} == {path.name for path in root.iterdir()}


def test_swaps_under_the_walk_never_let_a_byte_in(root: Path, outside: Path) -> None:
    for number in range(30):
        (root / f"d{number}").mkdir()
        (root / f"d{number}/canary.py").write_bytes(b"own")
    stop = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        rng = random.Random(1)  # noqa: S311 -- any order will do
        while not stop.is_set():
            folder = root / f"d{rng.randrange(30)}"
            kept = folder.with_suffix(".kept")
            folder.rename(kept)
            folder.symlink_to(outside)
            file = kept / "canary.py"
            file.rename(kept / "real")
            file.symlink_to(outside / "canary.py")
            file.unlink()
            (kept / "real").rename(file)
            folder.unlink()
            kept.rename(folder)
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    refused = 0
    try:
        end = time.monotonic() + 4
        while time.monotonic() < end:
            found = walk(root)
            answers = everything(root, found)
            refused += found.omissions.counts.get("link", 0)
            refused += sum(isinstance(answer, str) for answer in answers.values())
            assert CANARY not in answers.values()
    finally:
        stop.set()
        thread.join()
    assert swaps > 20
    assert refused > 0


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


def test_descriptors_are_given_back(root: Path, outside: Path) -> None:
    (root / "a/b/c").mkdir(parents=True)
    (root / "a/b/c/d.py").write_text("x")
    (root / "link").symlink_to(outside)
    before = psutil.Process().num_fds()
    for _ in range(5):
        everything(root, walk(root))
    assert psutil.Process().num_fds() == before
