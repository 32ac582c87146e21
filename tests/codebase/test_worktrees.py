"""Two worktrees of one repository in one project: the one you stand in answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from undercroft.codebase.service import Codebase
from undercroft.db.database import Database


@pytest.fixture
def main(main_and_linked: list[Path]) -> Path:
    main, linked = main_and_linked
    (main / "lease.py").write_text("def renew_lease(epoch):\n    return epoch\n")
    (linked / "lease.py").write_text("def renew_lease(epoch, owner):\n    return owner\n")
    return main


@pytest.fixture
def linked(main_and_linked: list[Path]) -> Path:
    return main_and_linked[1]


@pytest.fixture
async def codebase(project_db: Database) -> AsyncIterator[Codebase]:
    codebase = Codebase(project_db)
    yield codebase
    await codebase.close()


async def test_the_worktree_that_one_stands_in_answers(
    codebase: Codebase, main: Path, linked: Path
) -> None:
    for folder in (main, linked):
        await codebase.index(folder, wait=30)
    places: list[tuple[Path | None, str]] = [
        (main, main.name),
        (linked, "fix"),
        (main.parent, main.name),
        (None, main.name),
    ]
    for stands, mine in places:
        found = await codebase.search("renew lease", folder=stands)
        assert [hit.repository for hit in found.items] == [mine]
        assert found.note is None
        [place] = (await codebase.symbol("renew_lease", folder=stands)).items
        assert place.repository == mine
        text = (await codebase.read("lease.py", folder=stands)).text
        assert ("owner" in (text or "")) == (mine == "fix")
    named = await codebase.search("renew lease", repositories=[main.name, "fix"], folder=main)
    assert {hit.repository for hit in named.items} == {main.name, "fix"}


async def test_who_stands_in_a_worktree_without_an_index_is_told(
    codebase: Codebase, main: Path, linked: Path
) -> None:
    await codebase.index(main, wait=30)
    found = await codebase.search("renew lease", folder=linked)
    assert [hit.repository for hit in found.items] == [main.name]
    assert "index_repository indexes it" in (found.note or "")


async def test_parts_of_one_checkout_are_no_doubles(codebase: Codebase, main: Path) -> None:
    for name in ("api", "web"):
        (main / name).mkdir()
        (main / name / "lease.py").write_text(f"def renew_lease():\n    return {name}\n")
        await codebase.index(main / name, wait=30)
    found = await codebase.search("renew lease", folder=main / "api")
    assert {hit.repository for hit in found.items} == {"api", "web"}
