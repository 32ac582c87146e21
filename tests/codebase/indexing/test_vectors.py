"""The graph over the vectors is built when it pays, beside the writers, and then used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from undercroft.codebase.indexing import vectors
from undercroft.codebase.indexing.indexer import Indexer

INDEXES = """
    SELECT c.relname AS name, i.indisvalid AS valid FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE starts_with(c.relname, 'embeddings_x_') ORDER BY 1"""


async def test_few_vectors_have_no_graph(indexer: Indexer, tree: Path, rows) -> None:
    await indexer.index(tree)
    await indexer.settled()
    assert not await rows(INDEXES)


async def test_a_graph_covers_what_was_there_and_the_next_one_what_came(
    indexer: Indexer, tree: Path, project_db, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "PAYS_FROM", 20)
    await indexer.index(tree)
    await indexer.settled()
    [model] = await rows("SELECT id, dimension, indexed_to FROM codebase.models")
    assert model["indexed_to"] == 31
    assert [dict(row) for row in await rows(INDEXES)] == [
        {"name": f"embeddings_x_{model['id']}_31", "valid": True}
    ]
    (tree / "one_more.py").write_text("def one_more():\n    pass\n")
    await indexer.index(tree)
    await indexer.settled()
    assert (await rows("SELECT indexed_to FROM codebase.models"))[0][0] == 31
    for number in range(25):
        (tree / f"later_{number}.py").write_text(f"def later_{number}():\n    pass\n")
    await indexer.index(tree)
    await indexer.settled()
    assert [row["name"] for row in await rows(INDEXES)] == [f"embeddings_x_{model['id']}_57"]


async def test_the_statement_uses_the_graph_and_finds_the_chunk(
    indexer: Indexer, tree: Path, project_db, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "PAYS_FROM", 20)
    await indexer.index(tree)
    await indexer.settled()
    [model] = await rows("SELECT id, dimension, indexed_to FROM codebase.models")
    statement = vectors.nearest(model["id"], model["dimension"], model["indexed_to"], 5)
    [one] = await rows("SELECT chunk_id, embedding::text FROM codebase.embeddings LIMIT 1")
    async with project_db.transaction() as bound:
        await bound.execute_text("SET LOCAL enable_seqscan = off")
        await bound.execute_text("SET LOCAL enable_sort = off")
        plan = await bound.fetch_text(f"EXPLAIN {statement}", one["embedding"])
        assert any("embeddings_x_" in row[0] for row in plan)
        found = await bound.fetch_text(statement, one["embedding"])
    best = max(found, key=lambda row: row["similarity"])
    assert best["similarity"] == pytest.approx(1.0, abs=0.01)
    assert one["chunk_id"] in [row["chunk_id"] for row in found]


async def test_two_at_once_build_one_graph(
    indexer: Indexer, tree: Path, project_db, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    await indexer.index(tree)
    await indexer.settled()
    monkeypatch.setattr(vectors, "PAYS_FROM", 20)
    await asyncio.gather(*(vectors.keep_index(project_db) for _ in range(3)))
    [index] = await rows(INDEXES)
    assert index["valid"]


async def test_what_a_cut_off_build_has_left_is_removed(
    indexer: Indexer, tree: Path, project_db, rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "PAYS_FROM", 20)
    await indexer.index(tree)
    await indexer.settled()
    owner = await rows("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'files'")
    async with project_db.transaction() as bound:
        await bound.execute_text(f'SET LOCAL ROLE "{owner[0][0]}"')
        await bound.execute_text(
            "CREATE INDEX embeddings_x_1_7 ON codebase.embeddings (chunk_id) WHERE chunk_id < 7"
        )
    await project_db.execute_text("UPDATE codebase.models SET indexed_to = 0")
    await vectors.keep_index(project_db)
    [index] = await rows(INDEXES)
    assert index["name"].endswith("_31")
