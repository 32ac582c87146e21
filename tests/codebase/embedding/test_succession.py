"""A project's vectors follow its choice in the background, and something always answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from undercroft.codebase.indexing import succession, vectors
from undercroft.mcp.call import Caller
from undercroft.offers import BUILTIN

from .provider import Provider, status, until

if TYPE_CHECKING:
    from .conftest import Serve, Server

Index = Callable[["Server"], Awaitable[None]]

QUERY = "where is spline 7 reticulated?"
FILLED = "SELECT FROM codebase.models WHERE identity LIKE '%tiny%' AND filled_to >= 4"


async def eventually(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_code_is_found_by_words_before_the_provider_has_answered(
    serve: Serve, index: Index, provider: Provider
) -> None:
    held = threading.Event()
    provider.faults.extend([*[lambda *_: None] * 3, *[until(held)] * 2])
    async with serve("tiny") as server:
        try:
            await index(server)
            await eventually(lambda: server.rows(FILLED))
            found = await server.codebase.search(QUERY)
            assert found.items[0].path == "module_7.py"
            assert "of the code can be found by meaning" in (found.note or "")
            assert "% embedded" in (await server.told() or "")
        finally:
            held.set()
        await server.codebase.settled()
        assert await server.told() == "tiny: complete"
        await server.check("tiny-code")
        found = await server.codebase.search(QUERY)
        assert (found.items[0].path, found.note) == ("module_7.py", None)
        assert found.items[0].parts["meaning"] > 0
        assert provider.most_at_once <= 3


async def test_the_old_vectors_answer_until_the_new_ones_are_all_there(
    serve: Serve, index: Index, provider: Provider, project_name: str
) -> None:
    held = threading.Event()
    async with serve() as server:
        await index(server)
        await server.codebase.settled()
        await server.check("undercroft-static")
        assert await server.told() is None
        provider.faults.extend([*[lambda *_: None] * 3, *[until(held)] * 2])
        await server.choose(project_name, "tiny")
        try:
            found = await server.codebase.search(QUERY)
            server.begin()
            await eventually(lambda: server.rows(FILLED))
            again = await server.codebase.search(QUERY)
            assert again.note is None
            assert [hit.parts for hit in again.items] == [hit.parts for hit in found.items]
            assert "until then the vectors of undercroft-static" in (await server.told() or "")
            assert QUERY not in provider.texts
        finally:
            held.set()
        await server.codebase.settled()
        await server.check("tiny-code")
        assert (await server.codebase.search(QUERY)).note is None
        assert provider.texts[-1] == QUERY
        assert len(provider.texts) == len(set(provider.texts))
        related = await server.codebase.related("module_7.py", 1)
        assert related[0].path != "module_7.py"


async def test_a_change_of_mind_brings_the_old_vectors_back(
    serve: Serve, index: Index, provider: Provider, project_name: str
) -> None:
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
        await server.choose(project_name, BUILTIN)
        await server.align()
        await server.check("undercroft-static")
        await server.choose(project_name, "tiny")
        await server.align()
        await server.check("tiny-code")
        assert await server.told() == "tiny: complete"


async def test_what_changes_later_is_embedded_too_and_what_goes_is_gone(
    serve: Serve, index: Index, provider: Provider, tree: Path
) -> None:
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
        asked = len(provider.texts)
        (tree / "module_3.py").write_text("def unravel(yarn):\n    return yarn\n")
        (tree / "module_4.py").unlink()
        await index(server)
        await server.codebase.settled()
        assert len(provider.texts) == asked + 1
        await server.check("tiny-code")


async def test_a_chunk_that_goes_while_it_is_embedded_leaves_no_vector(
    serve: Serve, index: Index, provider: Provider, tree: Path
) -> None:
    held = threading.Event()
    provider.always = until(held)
    async with serve("tiny") as server:
        try:
            await index(server)
            for number in range(0, 24, 2):
                (tree / f"module_{number}.py").unlink()
            await index(server)
            await eventually(
                lambda: server.rows("SELECT FROM codebase.chunks HAVING count(*) = 12")
            )
        finally:
            held.set()
        await server.codebase.settled()
        await server.check("tiny-code")


@pytest.mark.parametrize("dimension", [384, 768, 1536, 4000])
async def test_any_dimension_is_stored_indexed_and_searched(
    serve: Serve, index: Index, provider: Provider, dimension: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "PAYS_FROM", 20)
    provider.dimension = dimension
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
        await server.check("tiny-code")
        [model] = await server.rows("SELECT id, dimension, indexed_to FROM codebase.models")
        assert (model["dimension"], model["indexed_to"]) == (dimension, 24)
        statement = vectors.nearest(model["id"], dimension, 24, 5)
        [own] = await server.rows(
            "SELECT chunk_id, embedding::text FROM codebase.embeddings ORDER BY chunk_id LIMIT 1"
        )
        found = await server.db.fetch_text(statement, own["embedding"])
        assert own["chunk_id"] in [row["chunk_id"] for row in found]
        best = (await server.codebase.search(QUERY)).items[0]
        assert best.path == "module_7.py"
        assert best.parts["meaning"] > 0


async def test_4001_numbers_are_refused_and_words_still_find(
    serve: Serve, index: Index, provider: Provider
) -> None:
    provider.dimension = 4001
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
        assert "makes vectors of 4001 numbers; at most 4000" in (await server.told() or "")
        found = await server.codebase.search(QUERY)
        assert found.items[0].path == "module_7.py"
        assert "by words alone" in (found.note or "")


@pytest.mark.usefixtures("hasty")
async def test_a_provider_that_is_down_is_waited_for_and_searches_say_so(
    serve: Serve, index: Index, provider: Provider
) -> None:
    provider.faults.extend([lambda *_: None] * 3)
    provider.always = status(503)
    async with serve("tiny", concurrency=1) as server:
        await index(server)
        await server.codebase.settled()
        told = await server.told() or ""
        assert "waits: The embedding model tiny does not work: it failed (503)." in told
        found = await server.codebase.search(QUERY)
        assert found.items[0].path == "module_7.py"
        assert (found.note or "").startswith("Searched by words alone: The embedding model tiny")
        [lease] = await server.rows("SELECT lease_until, holder FROM codebase.vectors")
        assert lease == {"lease_until": None, "holder": ""}
        kept = await server.rows("SELECT chunk_id FROM codebase.embeddings")
        assert len(kept) == 8  # the first of the three answers told the dimension
        provider.always = None
        await server.align()
        await server.check("tiny-code")
        assert (await server.codebase.search(QUERY)).note is None


@pytest.mark.usefixtures("hasty")
async def test_what_has_failed_is_tried_again_without_being_asked(
    serve: Serve, index: Index, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "SOON", 0.01)
    provider.faults.extend([lambda *_: None, status(503), status(502)])
    async with serve("tiny") as server:
        await index(server)
        await eventually(
            lambda: server.rows("SELECT FROM codebase.models WHERE filled_to = 24 AND id = 1")
        )
        await server.codebase.settled()
        await server.check("tiny-code")


@pytest.mark.usefixtures("hasty")
async def test_a_provider_that_is_down_at_query_time_leaves_the_words(
    serve: Serve, index: Index, provider: Provider
) -> None:
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
        provider.always = status(500)
        found = await server.codebase.search(QUERY)
        assert found.items[0].path == "module_7.py"
        assert "meaning" not in found.items[0].parts
        assert found.note == (
            "Searched by words alone: The embedding model tiny does not work: it failed (500)."
        )


async def test_two_servers_ask_for_each_vector_once(
    serve: Serve, index: Index, provider: Provider
) -> None:
    held = threading.Event()
    provider.always = until(held)
    async with serve("tiny") as one, serve("tiny") as other:
        try:
            await index(one)
            await eventually(lambda: one.rows("SELECT FROM codebase.vectors WHERE holder <> ''"))
            await other.align()
        finally:
            held.set()
        await one.codebase.settled()
        await one.check("tiny-code")
        assert len(provider.texts) == len(set(provider.texts))


async def test_a_server_that_ends_gives_its_turn_back_and_the_next_goes_on(
    serve: Serve, index: Index, provider: Provider
) -> None:
    held = threading.Event()
    provider.faults.extend([*[lambda *_: None] * 3, *[until(held)] * 2])
    try:
        async with serve("tiny") as server:
            await index(server)
            await eventually(lambda: server.rows(FILLED))
    finally:
        held.set()
    async with serve("tiny") as server:
        [lease] = await server.rows("SELECT lease_until FROM codebase.vectors")
        assert lease["lease_until"] is None
        await server.codebase.search(QUERY)
        await server.codebase.settled()
        await server.check("tiny-code")
        assert await server.told() == "tiny: complete"


async def test_agents_choose_search_and_see_where_it_stands_by_tools_alone(
    serve: Serve, provider: Provider, tree: Path, project_name: str
) -> None:
    async with serve() as server:

        async def call(tool: str, **arguments: Any) -> dict[str, Any]:
            if tool != "update_project":
                arguments["project"] = project_name
            outcome = await server.app.boundary.call(tool, arguments, Caller(actor="test"))
            assert not outcome.failed, outcome.text
            return outcome.body

        await call("update_project", name=project_name, settings={"embedding": "tiny"})
        await call("index_repository", path=str(tree))
        await server.codebase.settled()
        [status] = (await call("get_index_status"))["result"]
        assert status["vectors"] == "tiny: complete"
        found = await call("semantic_search", query=QUERY)
        assert found["items"][0]["path"] == "module_7.py"
        assert "note" not in found
        assert provider.texts[-1] == QUERY


async def test_a_model_that_is_not_offered_changes_nothing(
    serve: Serve, index: Index, project_name: str
) -> None:
    async with serve() as server:
        await index(server)
        await server.codebase.settled()
        await server.choose(project_name, "tyni")
        await server.align()
        assert await server.told() == (
            "This server offers no embedding model 'tyni', but: builtin, tiny."
        )
        assert (await server.codebase.search(QUERY)).note is None
        await server.check("undercroft-static")


async def test_vectors_of_a_model_that_is_offered_no_more_are_not_compared(
    serve: Serve, index: Index
) -> None:
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
    async with serve("gone", name="other", model="other") as server:
        found = await server.codebase.search(QUERY)
        assert found.items[0].path == "module_7.py"
        assert "a model that this server does not offer" in (found.note or "")
        await server.check("tiny-code")


async def test_no_setting_of_a_project_makes_the_server_ask_an_address(
    serve: Serve, index: Index, provider: Provider, project_name: str
) -> None:
    async with serve() as server:
        for choice in ({"url": provider.url, "model": "tiny-code"}, provider.url, ["tiny"], None):
            await server.choose(project_name, choice)
            await index(server)
            await server.align()
            assert "offers no embedding model" in (await server.told() or "")
            assert (await server.codebase.search(QUERY)).items
        assert not provider.asked


async def test_another_revision_of_a_model_is_another_model(
    serve: Serve, index: Index, provider: Provider
) -> None:
    async with serve("tiny") as server:
        await index(server)
        await server.codebase.settled()
    asked = len(provider.texts)
    provider.dimension = 48
    async with serve("tiny", revision="2") as server:
        await server.align()
        await server.check("tiny-code")
        assert len(provider.texts) >= 2 * asked - 1
        models = await server.rows(
            "SELECT m.dimension FROM codebase.vectors v JOIN codebase.models m ON m.id = answering"
        )
        assert models == [{"dimension": 48}]
