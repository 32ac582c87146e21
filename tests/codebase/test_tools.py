"""Code search as agents call it: through the boundary, over stdio, and where it is refused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from undercroft.app import App, open_app
from undercroft.codebase.indexing.hands import Thread
from undercroft.codebase.roots import Roots
from undercroft.errors import Forbidden, InvalidInput
from undercroft.mcp.call import Caller
from undercroft.settings import Settings

from .test_search import FILES, written

Json = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    written(tmp_path / "code", FILES)
    (tmp_path / "code" / "logo.png").write_bytes(b"\x89PNG\0" * 9)
    return tmp_path / "code"


class Agent:
    """A caller that stands in a folder and works on one project."""

    def __init__(self, app: App, project: str, folder: Path | None) -> None:
        self.app = app
        self.project = project
        self.folder = folder
        self.told: list[tuple[float, float | None, str]] = []

    async def __call__(self, tool: str, **arguments: Any) -> Json:
        async def progress(done: float, total: float | None = None, message: str = "") -> None:
            self.told.append((done, total, message))

        caller = Caller(actor="agent", folder=self.folder, progress=progress)
        outcome = await self.app.boundary.call(tool, {"project": self.project, **arguments}, caller)
        return outcome.body


@pytest.fixture
async def agent(app: App, project: str, folder: Path) -> Agent:
    return Agent(app, project, folder)


@pytest.fixture
async def indexed(agent: Agent) -> Agent:
    done = await agent("index_repository", name="code")
    assert done["status"] == "completed", done
    return agent


async def test_the_working_folder_is_indexed_and_what_was_left_out_is_told(agent: Agent) -> None:
    done = await agent("index_repository", idempotency_key="once")
    assert (done["status"], done["name"], done["files"]) == ("completed", "code", len(FILES))
    assert done["omitted"] == {"binary": {"count": 1, "examples": ["logo.png"]}}
    assert agent.told[-1] == (len(FILES), len(FILES), "indexing")
    assert await agent("index_repository", idempotency_key="once") == done
    (status,) = (await agent("get_index_status", repository="code"))["result"]
    assert status["omitted"] == done["omitted"]
    (listed,) = (await agent("list_repositories"))["result"]
    assert "omitted" not in listed
    assert listed["path"] == str(agent.folder)


async def test_a_question_is_answered_with_lines_and_reasons(indexed: Agent) -> None:
    found = await indexed("semantic_search", query="where is a stale lease refused?", limit=2)
    best = found["items"][0]
    assert (best["repository"], best["path"]) == ("code", "pool/lease.py")
    assert best["why"]
    assert sum(best["parts"].values()) > 0
    assert "raise StaleLease" in best["text"]
    assert found["next_cursor"]
    assert found["project"] == indexed.project


async def test_a_token_budget_ends_a_page_and_the_cursor_goes_on(indexed: Agent) -> None:
    written(indexed.folder or Path(), {f"many/{n}.py": _long(n) for n in range(6)})
    query = {"query": "token budget filler", "paths": ["many/*"], "limit": 6}
    whole = await indexed("semantic_search", **query)
    assert len(whole["items"]) == 6
    few = await indexed("semantic_search", **query, max_tokens=500)
    assert 1 <= len(few["items"]) < 6
    assert sum(len(json.dumps(one)) for one in few["items"]) <= 4 * 500 + len(_long(0))
    shown = few["items"]
    while few.get("next_cursor"):
        few = await indexed("semantic_search", **query, max_tokens=500, cursor=few["next_cursor"])
        shown += few["items"]
    assert [one["path"] for one in shown] == [one["path"] for one in whole["items"]]


def _long(number: int) -> str:
    body = "\n".join(f"    filler_{number}_{line} = {line}" for line in range(40))
    return f"def budget_{number}(token):\n{body}\n"


async def test_names_places_and_lines_are_found(indexed: Agent) -> None:
    symbol = await indexed("find_symbol", name="LeaseKeeper", role="definition")
    (definition,) = symbol["items"]
    assert (definition["path"], definition["lines"][0]) == ("pool/lease.py", 4)
    lines = await indexed("read_code", path="pool/lease.py", start_line=4, end_line=5)
    assert lines["text"].splitlines()[0] == "class LeaseKeeper:"
    related = (await indexed("find_related_code", path="pool/lease.py", line=7))["result"]
    assert related[0]["path"] != "pool/lease.py"


async def test_a_repository_is_forgotten_and_its_folder_stays(indexed: Agent) -> None:
    assert (await indexed("remove_repository", repository="code"))["name"] == "code"
    refused = await indexed("semantic_search", query="lease")
    assert (refused["code"], "index_repository" in refused["hint"]) == ("not_found", True)
    assert indexed.folder
    assert (indexed.folder / "pool" / "lease.py").exists()


async def test_indexing_goes_on_in_the_background_and_can_be_stopped(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _Gate(monkeypatch)
    begun = await agent("index_repository", wait_seconds=0)
    assert begun["status"] in ("pending", "in_progress")
    await gate.reached()
    (status,) = (await agent("get_index_status"))["result"]
    assert status["status"] == "in_progress"
    await agent("cancel_indexing", repository="code")
    gate.open()
    stopped = await agent("index_repository", wait_seconds=20)
    assert stopped["code"] == "conflict", "who waits for a run that is stopped is told so"
    (status,) = (await agent("get_index_status"))["result"]
    assert (status["status"], status["files"]) == ("pending", 0)
    assert (await agent("index_repository", wait_seconds=20))["status"] == "completed"


async def test_a_server_that_ends_gives_its_lease_back(
    settings: Settings, project: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _Gate(monkeypatch)
    async with open_app(settings) as app:
        await Agent(app, project, folder)("index_repository", wait_seconds=0)
        await gate.reached()
        gate.open()
    async with open_app(settings) as app:
        agent = Agent(app, project, folder)
        (status,) = (await agent("get_index_status"))["result"]
        assert status["status"] in ("pending", "completed")
        assert (await agent("index_repository"))["status"] == "completed"


class _Gate:
    """Holds whoever works on a batch, until the test lets it go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._reached, self._open = asyncio.Event(), asyncio.Event()
        work = Thread.work

        async def held(thread: Thread, *args: Any) -> Any:
            self._reached.set()
            await self._open.wait()
            return await work(thread, *args)

        monkeypatch.setattr(Thread, "work", held)

    async def reached(self) -> None:
        await self._reached.wait()

    def open(self) -> None:
        self._open.set()


async def test_over_http_only_the_operators_folders_are_indexed(
    settings: Settings, project: str, folder: Path
) -> None:
    (folder.parent / "secret").mkdir()
    named = {"": "forbidden", str(folder): None, str(folder.parent / "other"): "forbidden"}
    for roots, code in named.items():
        serving = replace(settings, transport="http", index_roots=roots)
        async with open_app(serving) as app:
            agent = Agent(app, project, None)
            refused = await agent("index_repository", path=str(folder.parent / "secret"))
            assert refused["code"] == "forbidden"
            assert "UNDERCROFT_INDEX_ROOTS" in refused["hint"]
            assert (await agent("index_repository", path=str(folder))).get("code") == code


def test_a_root_is_not_left_by_links_and_tells_nothing_of_what_lies_outside(
    tmp_path: Path,
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in" / "loop")
    roots = Roots.named(f" {tmp_path / 'in'} ,", local=False)
    assert roots.checked(tmp_path / "in" / "deep") == tmp_path / "in" / "deep"
    for outside in ("in/link", "in/../out", "in2", "nowhere", "in/loop\0"):
        with pytest.raises(Forbidden) as refused:
            roots.checked(tmp_path / outside) if "\0" not in outside else roots.checked(
                Path(f"/{outside}")
            )
        assert str(tmp_path) not in str(refused.value.as_dict())
    with pytest.raises(InvalidInput):
        roots.checked(tmp_path / "in" / "nowhere")
    anywhere = Roots.named("", local=True)
    assert anywhere.checked(tmp_path / "out") == tmp_path / "out"
    for nothing in (tmp_path / "in" / "loop", Path("~nobody-of-that-name/x"), Path("a\0b")):
        with pytest.raises(InvalidInput):
            anywhere.checked(nothing)
