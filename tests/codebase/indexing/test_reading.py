"""Files of a folder are read one after the other, through folders that stay open meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from undercroft.codebase import walking
from undercroft.codebase.indexing import reading
from undercroft.codebase.indexing.batch import Wanted

OUTSIDE = "canary = 'from outside'\n"


@pytest.fixture
def files(tmp_path: Path) -> list[Wanted]:
    for name in ("one", "two"):
        path = tmp_path / "root" / "deep" / "down" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} = 1\n")
    found = walking.walk(tmp_path / "root").files
    return [Wanted(*file[:3], reading.signed(file.inode)) for file in found]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "two.py").write_text(OUTSIDE)
    return folder


def test_files_are_read_as_the_walk_saw_them(tmp_path: Path, files: list[Wanted]) -> None:
    read = list(reading.read_files(tmp_path / "root", files))
    assert [one.file for one in read] == files
    assert [one.text for one in read] == ["one = 1\n", "two = 1\n"]
    assert not any(one.omitted for one in read)


def test_a_folder_that_became_a_link_leads_nowhere(
    tmp_path: Path, files: list[Wanted], outside: Path
) -> None:
    reads = reading.read_files(tmp_path / "root", files)
    assert next(reads).text == "one = 1\n"
    deep = tmp_path / "root" / "deep"
    (deep / "down").rename(tmp_path / "moved")
    (deep / "down").symlink_to(outside)
    second = next(reads)
    assert (second.text, second.omitted) == ("", "link")


def test_a_file_put_into_a_folder_that_was_moved_away_is_not_read(
    tmp_path: Path, files: list[Wanted]
) -> None:
    reads = reading.read_files(tmp_path / "root", files)
    next(reads)
    deep, moved = tmp_path / "root" / "deep", tmp_path / "moved"
    (deep / "down").rename(moved)
    (moved / "two.py").write_text(OUTSIDE)
    (deep / "down").symlink_to(moved)
    second = next(reads)
    assert OUTSIDE not in second.text
    assert second.omitted == "link"


def test_a_folder_made_anew_is_found_again(tmp_path: Path, files: list[Wanted]) -> None:
    reads = reading.read_files(tmp_path / "root", files)
    next(reads)
    down = tmp_path / "root" / "deep" / "down"
    down.rename(tmp_path / "root" / "old")
    down.mkdir()
    (down / "two.py").write_text("two = 2\n")
    second = next(reads)
    assert (second.text, second.omitted) == ("two = 2\n", "")
    assert second.file.inode == down.joinpath("two.py").stat().st_ino
