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

from .conftest import CANARY, git


def everything(root: Path, found: Walk) -> dict[str, bytes | str]:
    return {file.path: read(root, file) for file in found.files}


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


def test_descriptors_are_given_back(root: Path, outside: Path) -> None:
    (root / "a/b/c").mkdir(parents=True)
    (root / "a/b/c/d.py").write_text("x")
    (root / "link").symlink_to(outside)
    before = psutil.Process().num_fds()
    for _ in range(5):
        everything(root, walk(root))
    assert psutil.Process().num_fds() == before
