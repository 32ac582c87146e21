"""Looks at a folder are shared by those who ask at once, and spared while nothing changes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from undercroft.codebase.indexing import looks as module
from undercroft.codebase.indexing.looks import Looks
from undercroft.codebase.indexing.planning import Look, look


async def test_those_who_ask_during_a_look_share_the_next(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    opened = threading.Event()

    def held(root: Path) -> Look:
        found = look(root)
        looked.append(1)
        opened.wait(30)
        return found

    monkeypatch.setattr(module, "look", held)
    looks = Looks()
    first = asyncio.create_task(looks.look(tree))
    async with asyncio.timeout(30):
        while not looked:
            await asyncio.sleep(0.01)
    (tree / "late.py").write_text("def late():\n    pass\n")
    later = [asyncio.create_task(looks.look(tree)) for _ in range(5)]
    await asyncio.sleep(0)
    opened.set()
    before = await first
    after = await asyncio.gather(*later)
    assert sum(looked) == 2
    assert "late.py" not in [file.path for file in before.walk.files]
    assert all("late.py" in [file.path for file in one.walk.files] for one in after)


linux = pytest.mark.skipif(sys.platform != "linux", reason="only its kernel is asked")


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every walk that is made."""
    made: list[Path] = []

    def counted(root: Path) -> Look:
        made.append(root)
        return look(root)

    monkeypatch.setattr(module, "look", counted)
    return made


def paths(found: Look) -> list[str]:
    return [file.path for file in found.walk.files]


@linux
async def test_while_nothing_changes_nobody_walks(tree: Path, walks: list[Path]) -> None:
    looks = Looks()
    first = await looks.look(tree)
    for _ in range(20):
        assert (await looks.look(tree)).digest == first.digest
    assert len(walks) == 2


def opened() -> int:
    """Descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _append(tree: Path) -> None:
    with (tree / "README.md").open("a") as file:
        file.write("More.\n")


def _same_size(tree: Path) -> None:
    path = tree / "README.md"
    path.write_text(path.read_text().replace("S", "s"))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a file is added": lambda tree: (tree / "part1" / "new.py").write_text("x = 1\n"),
    "a file grows": _append,
    "a file keeps its size": _same_size,
    "a file is removed": lambda tree: (tree / "README.md").unlink(),
    "a file moves": lambda tree: (tree / "README.md").rename(tree / "part0" / "README.md"),
    "a file is replaced": lambda tree: (tree / "README.md").replace(tree / "part0/module_0.py"),
    "a time is set": lambda tree: os.utime(tree / "README.md", (1, 1)),
    "a folder moves": lambda tree: (tree / "part0").rename(tree / "part9"),
    "an ignore file appears": lambda tree: (tree / ".gitignore").write_text("part0\n"),
}


@linux
@pytest.mark.parametrize("change", CHANGES)
async def test_every_change_is_seen_by_the_next_look(
    tree: Path, walks: list[Path], change: str
) -> None:
    looks = Looks()
    for _ in range(3):
        before = await looks.look(tree)
    CHANGES[change](tree)
    after = await looks.look(tree)
    assert after.digest != before.digest
    assert after.digest == look(tree).digest
    assert (await looks.look(tree)).digest == after.digest
    assert len(walks) == 3


@linux
async def test_what_changes_in_a_folder_that_came_later_is_seen(
    tree: Path, walks: list[Path]
) -> None:
    looks = Looks()
    for _ in range(3):
        await looks.look(tree)
    deep = tree / "new" / "deep"
    deep.mkdir(parents=True)
    (deep / "one.py").write_text("one = 1\n")
    assert "new/deep/one.py" in paths(await looks.look(tree))
    (deep / "two.py").write_text("two = 2\n")
    assert "new/deep/two.py" in paths(await looks.look(tree))
    assert len(walks) == 4


@linux
async def test_what_git_lists_differently_is_seen(tree: Path, walks: list[Path]) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", str(tree), *words], check=True, capture_output=True)

    git("init", "-q")
    (tree / ".git" / "info" / "exclude").write_text("part0\n")
    looks = Looks()
    for _ in range(3):
        assert "part0/module_0.py" not in paths(await looks.look(tree))
    git("add", "-f", "part0/module_0.py")
    assert "part0/module_0.py" in paths(await looks.look(tree))
    (tree / ".git" / "info" / "exclude").write_text("")
    assert "part0/module_3.py" in paths(await looks.look(tree))
    assert len(walks) == 4


@linux
async def test_what_the_kernel_does_not_tell_of_is_seen_a_little_later(
    tree: Path, walks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRUSTED", -1.0)
    outside = tree.parent / "outside.py"
    os.link(tree / "README.md", outside)
    looks = Looks()
    for _ in range(2):
        before = await looks.look(tree)
    with outside.open("a") as file:
        file.write("Through another name.\n")
    async with asyncio.timeout(30):
        while (await looks.look(tree)).digest == before.digest:
            await asyncio.sleep(0.01)
    await looks.end()


@linux
async def test_a_folder_that_cannot_be_watched_is_walked_each_time(
    tree: Path, walks: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undercroft.codebase.walking.watch.MOST_FOLDERS", 2)
    looks = Looks()
    for _ in range(4):
        await looks.look(tree)
    assert len(walks) == 4


@linux
async def test_a_worktree_is_watched_with_its_part_of_the_repository(
    tree: Path, walks: list[Path]
) -> None:
    def git(where: Path, *words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        subprocess.run(["git", "-C", str(where), *who, *words], check=True, capture_output=True)

    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "all")
    second = tree.parent / "second"
    git(tree, "worktree", "add", "-q", str(second))
    (second / ".gitignore").write_text("kept.txt\n")
    (second / "kept.txt").write_text("kept\n")
    looks = Looks()
    for _ in range(3):
        assert "kept.txt" not in paths(await looks.look(second))
    git(second, "add", "-f", "kept.txt")
    assert "kept.txt" in paths(await looks.look(second))
    assert len(walks) == 3


@linux
async def test_what_is_watched_is_let_go_of_at_the_end(tree: Path) -> None:
    before = opened()
    looks = Looks()
    for _ in range(2):
        await looks.look(tree)
    assert opened() == before + 1
    await looks.end()
    assert opened() == before
