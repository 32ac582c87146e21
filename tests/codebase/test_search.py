"""Searching a small project: by meaning, by name, narrowed, page by page, always fresh."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from undercroft.codebase.models import Found
from undercroft.codebase.service import Codebase
from undercroft.db.database import Database
from undercroft.errors import InvalidInput, NotFound

FILES = {
    "pool/lease.py": '''"""Leases of connections."""


class LeaseKeeper:
    """Keeps leases and refuses stale ones."""

    def renew(self, lease, epoch):
        """Renew a lease; a stale epoch is refused."""
        if lease.epoch != epoch:
            raise StaleLease(lease)
        return lease.extend()
''',
    "pool/retry.py": '''"""Try again, with pauses."""


def backoff(attempt):
    """How long to wait before the next attempt, with jitter."""
    return min(60, 2**attempt) * random()


def call_with_retries(action):
    for attempt in range(5):
        action(backoff(attempt))
''',
    "web/routes.js": """// HTTP routes of the service.
export function registerRoutes(app) {
  app.get("/users/:id", showUser);
}
""",
    "tests/test_lease.py": """def test_a_stale_lease_is_refused():
    keeper = LeaseKeeper()
    assert keeper.renew(lease, epoch=1)
""",
    "README.md": "# Pool\n\nLeases of connections, and retries with jitter.\n",
}


def written(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        seen = path.stat()
        # What was written in this very moment is read twice.
        os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns - 10**10))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path / "code", FILES)
    return tmp_path / "code"


@pytest.fixture
async def codebase(project_db: Database, folder: Path) -> AsyncIterator[Codebase]:
    codebase = Codebase(project_db)
    done = await codebase.index(folder, "code", wait=60)
    assert (done.status, done.files) == ("completed", len(FILES))
    yield codebase
    await codebase.close()


def paths(found: Found) -> list[str]:
    return [hit.path for hit in found.items]


async def test_a_question_finds_the_lines_that_answer_it(codebase: Codebase) -> None:
    found = await codebase.search("where is a stale lease refused?")
    first = found.items[0]
    assert (first.repository, first.path) == ("code", "pool/lease.py")
    assert "raise StaleLease" in first.text
    assert first.start_line <= 9 <= first.end_line
    assert first.why
    assert found.note is None


async def test_a_name_finds_its_definition_before_its_uses(codebase: Codebase) -> None:
    found = await codebase.search("LeaseKeeper")
    assert paths(found)[0] == "pool/lease.py"
    assert "tests/test_lease.py" in paths(found)[1:]
    assert found.items[0].parts["definition"] > 0


async def test_a_file_is_found_by_what_it_is_called(codebase: Codebase) -> None:
    assert paths(await codebase.search("routes"))[0] == "web/routes.js"


@pytest.mark.parametrize(
    ("narrowed", "left"),
    [
        ({"paths": ["pool/*.py"]}, {"pool/lease.py", "pool/retry.py"}),
        ({"paths": ["pool"]}, {"pool/lease.py", "pool/retry.py"}),
        ({"paths": ["*.js", "*.md"]}, {"web/routes.js", "README.md"}),
        ({"paths": ["**/test_*"]}, {"tests/test_lease.py"}),
        ({"languages": ["Markdown"]}, {"README.md"}),
        ({"languages": ["javascript"], "repositories": ["code"]}, {"web/routes.js"}),
        ({"paths": ["nowhere/**"]}, set()),
    ],
)
async def test_a_search_is_narrowed_and_loses_nothing(
    codebase: Codebase, narrowed: Any, left: set[str]
) -> None:
    found = await codebase.search("lease retries routes jitter", limit=50, **narrowed)
    assert set(paths(found)) == left


async def test_pages_show_each_place_once(codebase: Codebase) -> None:
    whole = await codebase.search("lease epoch retries", limit=50)
    shown, cursor = [], ""
    while True:
        page = await codebase.search("lease epoch retries", limit=1, cursor=cursor)
        shown += [(hit.path, hit.start_line) for hit in page.items]
        if not page.next_cursor:
            break
        cursor = page.next_cursor
    assert shown == [(hit.path, hit.start_line) for hit in whole.items]
    assert len(shown) > 3


async def test_lines_around_a_place_are_those_of_the_file(codebase: Codebase) -> None:
    found = await codebase.search("backoff jitter", limit=1, paths=["pool/retry.py"], context=2)
    hit = found.items[0]
    lines = FILES["pool/retry.py"].split("\n")
    assert hit.text == "\n".join(lines[hit.start_line - 1 : hit.end_line])


async def test_what_changed_on_disk_is_found_at_once(codebase: Codebase, folder: Path) -> None:
    assert not (await codebase.search("zanzibar", limit=1, paths=["new/*"])).items
    written(folder, {"new/zanzibar.py": "def zanzibar():\n    return 'spice'\n"})
    assert paths(await codebase.search("zanzibar"))[0] == "new/zanzibar.py"
    (folder / "new" / "zanzibar.py").unlink()
    assert "new/zanzibar.py" not in paths(await codebase.search("zanzibar"))


async def test_a_folder_that_is_gone_is_told_and_the_others_answer(
    codebase: Codebase, folder: Path
) -> None:
    other = folder.parent / "other"
    written(other, {"z.py": "def zanzibar():\n    return 'spice'\n"})
    await codebase.index(other, "other", wait=60)
    shutil.rmtree(other)
    found = await codebase.search("zanzibar lease", limit=50)
    assert {"z.py", "pool/lease.py"} <= set(paths(found))
    assert found.note
    assert "The folder of other cannot be read" in found.note
    assert "remove_repository" in found.note
    assert (await codebase.read("z.py")).text
    await codebase.remove("other")
    assert (await codebase.search("lease")).note is None


@pytest.mark.parametrize("query", ["", "  ", "?!", "x" * 2_001])
async def test_a_query_without_words_is_refused(codebase: Codebase, query: str) -> None:
    with pytest.raises(InvalidInput):
        await codebase.search(query)


@pytest.mark.parametrize("cursor", ["nonsense", "WyJhIl0", "Wy0xXQ", "WzFd" * 40])
async def test_a_cursor_of_something_else_is_refused(codebase: Codebase, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        await codebase.search("lease", cursor=cursor)


async def test_an_unknown_repository_is_named_with_those_there_are(codebase: Codebase) -> None:
    with pytest.raises(NotFound) as caught:
        await codebase.search("lease", repositories=["other"])
    assert "code" in caught.value.hint


async def test_nothing_indexed_says_what_to_do(project_db: Database) -> None:
    with pytest.raises(NotFound) as caught:
        await Codebase(project_db).search("lease")
    assert "index_repository" in caught.value.hint


async def test_a_symbol_is_found_where_it_is_defined_and_used(codebase: Codebase) -> None:
    page = await codebase.symbol("LeaseKeeper")
    places = [(one.role, one.path) for one in page.items]
    assert places == [("definition", "pool/lease.py"), ("reference", "tests/test_lease.py")]
    assert page.items[0].text == "class LeaseKeeper:"
    assert page.items[1].lines == [2]
    one = await codebase.symbol("LeaseKeeper", limit=1)
    rest = await codebase.symbol("LeaseKeeper", limit=1, cursor=one.next_cursor or "")
    assert [*one.items, *rest.items] == page.items
    with pytest.raises(NotFound) as caught:
        await codebase.symbol("keeper", "definition")
    assert "LeaseKeeper" in caught.value.hint


async def test_code_is_read_by_its_lines(codebase: Codebase) -> None:
    place = await codebase.read("lease.py", 7, 10)
    assert place.path == "pool/lease.py"
    assert place.text == "\n".join(FILES["pool/lease.py"].split("\n")[6:10])
    with pytest.raises(NotFound):
        await codebase.read("../../etc/passwd")
    with pytest.raises(InvalidInput):
        await codebase.read("lease.py", 900, 901)


async def test_related_code_lies_in_other_files(codebase: Codebase) -> None:
    related = await codebase.related("pool/lease.py", 7)
    assert related
    assert "pool/lease.py" not in [hit.path for hit in related]


async def test_a_removed_repository_is_not_found_any_more(codebase: Codebase) -> None:
    await codebase.remove("code")
    assert await codebase.status() == []
