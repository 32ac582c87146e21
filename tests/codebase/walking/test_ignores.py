"""Ignore files mean here what they mean to git: git itself is the judge."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undercroft.codebase.walking import walk
from undercroft.codebase.walking.ignores import Rules

PATHS = (
    "a",
    "b.txt",
    "a.log",
    "dir/a",
    "dir/b.txt",
    "dir/a.log",
    "dir/sub/a",
    "dir/sub/deep/a.log",
    "x/y/z",
    "x/dir/y",
    "x/y/dir/z",
    "foo/bar",
    "foo/x/bar",
    "foo/x/y/bar",
    "#hash",
    "!bang",
    "sp ace",
    "br[ack]et",
    "star*",
    "back\\slash",
    "UPPER",
    "-dash",
    ".hidden/a",
    "ab/ba/ab",
)

EXPLICIT = (
    "*.log\n!dir/a.log",
    "dir/",
    "/dir",
    "dir/*\n!dir/sub/",
    "**/a",
    "foo/**/bar",
    "foo/**",
    "**/dir/**",
    "**",
    "*",
    "!*\n*\n!a",
    "\\#hash\n\\!bang",
    "#hash",
    "sp ace   ",
    "sp\\ ace\\ ",
    "br\\[ack\\]et",
    "br[[]ack[]]et",
    "[a-c].txt",
    "[!a-c].txt\n[^x]",
    "[[:upper:]]*",
    "[[:nonsense:]]*",
    "star\\*",
    "back\\\\slash",
    "a[",
    "[z-a]",
    "[]-a]",
    "a\\",
    "?",
    "???",
    "x/*/z",
    "x/**/**/z",
    "dir/**/",
    "/**/a",
    "a**",
    "**a/b",
    "x**/z",
    "\ufeffa",
    "a\r\nb.txt\r",
    "/",
    "//a",
    "**//",
    "dir/**//",
    "**//a",
    "dir**//",
    "dir**//a",
    "***/a",
    "dir/***/a",
    "foo/x***/bar",
    "dir\\/a",
    "dir\\\\/a",
    "**\\/a",
    "foo**\\/bar",
    "?oo**\\/bar",
    "./a",
    "-*",
    "[a-]*",
    "[\\]]",
    "*a*/*",
    ".*",
)

PIECES = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "**",
        "/",
        "?",
        "[ab]",
        "[!a]",
        ".txt",
        ".log",
        "dir",
        "sub",
        "foo",
        "\\",
        "!",
        " ",
        "x",
        "y",
    ]
)
LINES = st.lists(PIECES, min_size=1, max_size=6).map("".join)
FILES = st.lists(LINES, min_size=1, max_size=4).map("\n".join)


@pytest.fixture(scope="module")
def trees(tmp_path_factory) -> list[Path]:
    """The same files twice: under git and without."""
    made = []
    for name in ("git", "plain"):
        tree = tmp_path_factory.mktemp(name)
        for path in PATHS:
            file = tree / path
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text("x")
        made.append(tree)
    subprocess.run(["git", "init", "-q", made[0]], check=True)
    return made


def seen(tree: Path) -> set[str]:
    return {file.path for file in walk(tree).files}


def compare(trees: list[Path], text: str, folder: str = "") -> None:
    for tree in trees:
        (tree / folder / ".gitignore").write_text(text, "utf-8")
    by_git, by_us = map(seen, trees)
    assert by_us == by_git, repr(text)


@pytest.mark.parametrize("text", EXPLICIT)
def test_a_pattern_hides_what_git_hides(trees, text: str) -> None:
    compare(trees, text)


@given(text=FILES, below=FILES)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_two_ignore_files_hide_what_git_hides(trees, text: str, below: str) -> None:
    for tree in trees:
        (tree / "dir" / ".gitignore").write_text(below)
    compare(trees, text)
    for tree in trees:
        (tree / "dir" / ".gitignore").unlink()


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 60 + "b",
        "**/" * 50 + "b",
        "**/*a" * 50 + "/b",
        "a*" * 100,
        "[a-z]*" * 100 + "1",
        "?*" * 80 + "b",
    ],
)
def test_no_pattern_runs_away(pattern: str) -> None:
    rules = Rules("\n".join([pattern] * 20))
    begin = time.process_time()
    for path in ("a" * 250, "/".join(["a" * 20] * 45), "a/" * 400 + "c"):
        rules.ignored(path, folder=False)
    assert time.process_time() - begin < 2


def test_our_own_ignore_file_holds_with_git_and_without() -> None:
    for git in (True, False):
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            for path in (
                "keep.py",
                "drop.py",
                "sub/drop.py",
                "sub/keep.py",
                "vendor/lib.py",
                "node_modules/x.js",
            ):
                (root / path).parent.mkdir(exist_ok=True)
                (root / path).write_text("x")
            (root / ".undercroftignore").write_text("drop.py\n!vendor/\n")
            (root / "sub/.undercroftignore").write_text("!drop.py\nkeep.py\n")
            if git:
                subprocess.run(["git", "init", "-q", root], check=True)
                (root / ".git/info/exclude").write_text(".undercroftignore\n")
                subprocess.run(
                    ["git", "-C", root, "add", "-f", "sub/.undercroftignore"], check=True
                )
            found = walk(root)
            assert found.by_git is git
            paths = [file.path for file in found.files if "ignore" not in file.path]
            assert paths == ["keep.py", "sub/drop.py", "vendor/lib.py"]
            assert found.omissions.counts == {"ignored": 2, "vendored": 1}


def test_an_ignore_file_that_is_a_pipe_or_huge_or_a_link_says_nothing(tmp_path: Path) -> None:
    for name in ("pipe", "huge", "link"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("x")
    os.mkfifo(tmp_path / "pipe/.gitignore")
    (tmp_path / "huge/.gitignore").write_text("a\n" * 1_000_000)
    (tmp_path / "outside").write_text("*\n")
    (tmp_path / "link/.gitignore").symlink_to(tmp_path / "outside")
    found = walk(tmp_path)
    assert {"pipe/a", "huge/a", "link/a"} <= {file.path for file in found.files}
    assert found.omissions.counts == {"special": 1, "link": 1, "too_large": 1}
