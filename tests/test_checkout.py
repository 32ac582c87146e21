"""Checkouts, and linked worktrees of them: made by git itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from undercroft.checkout import checkout_of

Git = Callable[..., None]


@pytest.fixture
def main(main_and_linked: list[Path]) -> Path:
    return main_and_linked[0]


@pytest.fixture
def linked(main_and_linked: list[Path]) -> Path:
    return main_and_linked[1]


def test_a_linked_worktree_belongs_to_its_main_checkout(main: Path, linked: Path) -> None:
    (linked / "src").mkdir()
    found = checkout_of(linked / "src")
    assert (found.top, found.main, found.is_linked) == (linked, main, True)
    assert found.in_main(linked / "src") == main / "src"


def test_a_main_checkout_and_a_plain_folder_belong_to_themselves(
    main: Path, tmp_path: Path
) -> None:
    assert checkout_of(main).main == main
    plain = tmp_path / "plain"
    plain.mkdir()
    assert checkout_of(plain).main == plain
    assert not checkout_of(tmp_path / "nowhere").is_linked


def test_a_submodule_is_a_checkout_of_its_own(git: Git, main: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", str(main), "inner")
    assert (outer / "inner" / ".git").is_file()
    assert checkout_of(outer / "inner").main == outer / "inner"


def test_worktrees_of_a_bare_repository_belong_together(
    git: Git, main: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "app.git"
    git(tmp_path, "clone", "--bare", str(main), str(bare))
    for name in ("one", "two"):
        git(bare, "worktree", "add", "-b", name, str(tmp_path / name))
    assert [checkout_of(tmp_path / name).main for name in ("one", "two")] == [bare, bare]


def test_a_hidden_bare_repository_speaks_for_the_folder_around_it(
    git: Git, main: Path, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    git(tmp_path, "clone", "--bare", str(main), str(app / ".bare"))
    (app / ".git").write_text("gitdir: ./.bare\n")
    git(app, "worktree", "add", "-b", "another", str(app / "fix"))
    assert checkout_of(app / "fix").main == app


@pytest.mark.parametrize(
    "claim",
    ["gitdir: {main}/.git/worktrees/fix", "gitdir: {main}/.git", "gitdir: ", "\0", ""],
)
def test_a_folder_cannot_claim_another_ones_checkout(
    main: Path, linked: Path, tmp_path: Path, claim: str
) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / ".git").write_text(claim.format(main=main))
    assert checkout_of(stranger).main == stranger


def test_a_worktree_whose_repository_is_gone_stands_for_itself(main: Path, linked: Path) -> None:
    (main / ".git").rename(main / "gone")
    assert checkout_of(linked).main == linked
