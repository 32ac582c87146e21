"""What a search looks at is what an exact comparison finds, filtered or not, and by an index."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from undercroft.codebase.candidates import COMMON, DEPTH, Candidates
from undercroft.codebase.indexing import vectors
from undercroft.codebase.lexical import build
from undercroft.codebase.meaning import Meaning
from undercroft.codebase.view import SQL, Filter, Views
from undercroft.db.database import Database

FILES, EACH = 600, 10
CHUNKS = FILES * EACH
EARLIER = CHUNKS * 4 // 5
"""Chunks that are there when the graph is built."""
DIMENSION = 32
QUESTIONS = 25

FILL = """
WITH home AS (
    INSERT INTO codebase.repositories (repo_path, name) VALUES ('/code', 'code') RETURNING id
), content AS (
    INSERT INTO codebase.contents
        (id, hash, language, lines, bytes, masked, first_chunk, chunk_count, fallback, uses)
    SELECT n, int8send(n), CASE WHEN n % 50 = 0 THEN 'sql' ELSE 'python' END, 100, 1000, 0,
           (n - 1) * 10 + 1, 10, '', '{}'
    FROM generate_series(1, 600) AS n
), file AS (
    INSERT INTO codebase.files
        (repository_id, path, content_id, size, mtime_ns, inode, path_terms)
    SELECT home.id, 'folder' || n % 20 || '/name' || n || '.py', n, 1000, 1, n,
           ARRAY['folder' || n % 20, 'name' || n, 'py']
    FROM home, generate_series(1, 600) AS n
), chunk AS (
    INSERT INTO codebase.chunks
        (id, content_id, start_line, end_line, kind, symbol, scope, content)
    SELECT n, (n - 1) / 10 + 1, (n - 1) % 10 * 10 + 1, (n - 1) % 10 * 10 + 10, 'function', 'f', '',
           'text'
    FROM generate_series(1, 6000) AS n
), symbol AS (
    INSERT INTO codebase.symbols (content_id, name, role, kind, scope, lines, end_line)
    SELECT (n - 1) / 10 + 1, CASE WHEN n % 3 = 0 THEN '__init__' ELSE 'name_' || n END,
           'definition', 'function', '', ARRAY[(n - 1) % 10 * 10 + 3], (n - 1) % 10 * 10 + 5
    FROM generate_series(1, 6000) AS n
)
INSERT INTO codebase.models (identity, dimension) VALUES ('test', 32) RETURNING id
"""
EMBED = """
INSERT INTO codebase.embeddings (chunk_id, model, embedding)
SELECT id, $1, vector::halfvec FROM unnest($2::bigint[], $3::text[]) AS given (id, vector)
"""
SEGMENT = """
INSERT INTO codebase.segments (id, first_chunk, chunks, live, total, lengths)
VALUES ($1, $2, $3, $3, $4, $5)
"""
POSTINGS = """
INSERT INTO codebase.postings (segment_id, term, postings)
SELECT $1, term, postings FROM unnest($2::text[], $3::bytea[]) AS given (term, postings)
"""

REWRITE = """
INSERT INTO codebase.postings
SELECT term, 99, postings FROM codebase.postings WHERE segment_id = 6;
DELETE FROM codebase.postings WHERE segment_id = 6;
INSERT INTO codebase.segments
SELECT 99, first_chunk, chunks, live, total, lengths FROM codebase.segments WHERE id = 6;
DELETE FROM codebase.segments WHERE id = 6
"""

Vectors = npt.NDArray[np.float32]


@dataclass(kw_only=True)
class Shelf:
    """Chunks 1 to 6,000, ten to a file, every fiftieth file in SQL; some came after the graph."""

    db: Database
    model: int
    vectors: Vectors
    indexed_to: int = 0

    def meaning(self, question: Vectors) -> Meaning:
        return Meaning(model=self.model, vector=json.dumps(question.tolist()))

    def exactly(self, question: Vectors, count: int, among: Any = None) -> list[int]:
        """The nearest, by comparing all; `among`: chunks."""
        chunks = np.arange(1, CHUNKS + 1) if among is None else np.array(sorted(among))
        likeness = self.vectors[chunks - 1] @ question
        return chunks[np.argsort(-likeness)[:count]].tolist()

    async def candidates(self, wanted: Filter) -> Candidates:
        view, _ = await self.db.cached(Views).current(self.db)
        return await Candidates.among(self.db, view, wanted)


def unit(found: Vectors) -> Vectors:
    return found / np.linalg.norm(found, axis=-1, keepdims=True)


@pytest.fixture
def questions() -> Vectors:
    chance = np.random.default_rng(2)
    return unit(chance.standard_normal((QUESTIONS, DIMENSION), np.float32))


@pytest.fixture
async def shelf(project_db: Database, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    chance = np.random.default_rng(1)
    drawn = unit(chance.standard_normal((CHUNKS, DIMENSION), np.float32))
    # As they are stored.
    stored = drawn.astype(np.float16).astype(np.float32)
    [row] = await project_db.fetch_text(FILL)
    shelf = Shelf(db=project_db, model=row["id"], vectors=stored)
    for number, first in enumerate(range(1, CHUNKS + 1, 1000), 1):
        segment = build([["self", f"word{n % 97}", f"only{n}"] for n in range(first, first + 1000)])
        await project_db.fetch_text(SEGMENT, number, first, 1000, segment.total, segment.lengths)
        terms = segment.postings
        await project_db.fetch_text(POSTINGS, number, list(terms), list(terms.values()))
    monkeypatch.setattr(vectors, "PAYS_FROM", 1000)
    await embed(shelf, 1, EARLIER)
    await project_db.execute_text(f"UPDATE codebase.counters SET next_chunk = {EARLIER + 1}")
    await project_db.execute_text(f"UPDATE codebase.models SET filled_to = {EARLIER}")
    await vectors.keep_index(project_db)
    await embed(shelf, EARLIER + 1, CHUNKS)
    await project_db.execute_text(f"UPDATE codebase.counters SET next_chunk = {CHUNKS + 1}")
    shelf.indexed_to = (await project_db.fetch_text("SELECT indexed_to FROM codebase.models"))[0][0]
    assert shelf.indexed_to == EARLIER
    async with project_db.session(60) as session:
        owner = await session.fetch_text(
            "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'embeddings'"
        )
        await session.execute_text(f'SET ROLE "{owner[0][0]}"')
        for table in ("embeddings", "files", "contents", "chunks", "symbols", "postings"):
            await session.execute_text(f"ANALYZE codebase.{table}")
        await session.execute_text("RESET ROLE")
    return shelf


async def embed(shelf: Shelf, first: int, last: int) -> None:
    texts = [json.dumps(one) for one in shelf.vectors[first - 1 : last].tolist()]
    await shelf.db.fetch_text(EMBED, shelf.model, list(range(first, last + 1)), texts)


async def test_the_nearest_are_those_of_an_exact_scan(shelf: Shelf, questions: Vectors) -> None:
    statement = vectors.nearest(shelf.model, DIMENSION, shelf.indexed_to, DEPTH)
    shares = []
    for question in questions:
        rows = await shelf.db.fetch_text(statement, shelf.meaning(question).vector)
        found = [row["chunk_id"] for row in rows]
        assert len(found) == len(set(found)) == DEPTH
        likeness = [row["similarity"] for row in rows]
        assert likeness == sorted(likeness, reverse=True)
        exact = shelf.exactly(question, 10)
        shares.append(len({*exact} & {*found[:10]}) / 10)
        # What came after the graph was built is compared one by one: none of it is missed.
        later = [one for one in shelf.exactly(question, DEPTH) if one > shelf.indexed_to]
        assert {*later[:20]} <= {*found}
    assert sum(shares) / len(shares) >= 0.98


async def test_more_are_found_than_the_graph_is_searched_for_at_once(
    shelf: Shelf, questions: Vectors
) -> None:
    limit = 8 * vectors.CANDIDATES
    statement = vectors.nearest(shelf.model, DIMENSION, shelf.indexed_to, limit)
    rows = await shelf.db.fetch_text(statement, shelf.meaning(questions[0]).vector)
    found = {row["chunk_id"] for row in rows}
    assert len(found) == limit
    assert len(found & {*shelf.exactly(questions[0], limit)}) >= 0.95 * limit


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        (Filter(paths=("folder3",)), lambda file: file % 20 == 3),
        (Filter(paths=("folder1*",)), lambda file: file % 20 in {1, *range(10, 20)}),
        (Filter(languages=("SQL",)), lambda file: file % 50 == 0),
        (Filter(paths=("**/name7.py",)), lambda file: file == 7),
    ],
)
async def test_a_filter_loses_nothing_that_is_near(
    shelf: Shelf, questions: Vectors, wanted: Filter, allowed: Any
) -> None:
    among = [chunk for chunk in range(1, CHUNKS + 1) if allowed((chunk - 1) // EACH + 1)]
    find = await shelf.candidates(wanted)
    assert int(find.mask.sum()) == len(among)
    shares = []
    for question in questions:
        found = list(await find.dense(shelf.meaning(question)))
        assert {*found} <= {*among}
        assert len(found) >= min(DEPTH // 2, len(among))
        shares.append(len({*shelf.exactly(question, 10, among)} & {*found[:10]}) / 10)
    assert sum(shares) / len(shares) >= 0.98


async def test_a_filter_reaches_definitions_and_names_as_well(shelf: Shelf) -> None:
    find = await shelf.candidates(Filter(paths=("**/name450.py",)))
    inside = {*range(4491, 4501)}
    defining = {(one, 1) for one in inside if one % 3 == 0}
    assert {*await find.called(["__init__"], [])} == defining
    assert await find.called([], ["py", "name3"]) == [(4491, EACH)]
    assert {*await find.called(["__init__"], ["py"])} == {*defining, (4491, EACH)}


async def test_a_word_that_most_files_are_called_by_names_none(shelf: Shelf) -> None:
    find = await shelf.candidates(Filter())
    assert FILES > COMMON
    assert await find.called([], ["py"]) == []
    assert await find.called([], ["py", "name450"]) == [(4491, EACH)]
    few = await shelf.candidates(Filter(paths=("folder3",)))
    assert len(await few.called([], ["py"])) == FILES // 20


async def test_a_name_that_is_defined_everywhere_costs_no_more_than_it_shows(shelf: Shelf) -> None:
    find = await shelf.candidates(Filter())
    assert len(await find.called(["__init__"], [])) == DEPTH


async def test_terms_are_remembered_as_long_as_the_index_stays(shelf: Shelf) -> None:
    find = await shelf.candidates(Filter())
    first = await find.lexical({"word5": 1.0, "only77": 1.0, "nowhere": 1.0})
    assert first.top[0] == 77
    assert set(first.idf) == {"word5", "only77"}
    view = find.view
    assert (await shelf.candidates(Filter())).view is view
    again = await find.lexical({"word5": 1.0, "only77": 1.0, "nowhere": 1.0})
    assert np.array_equal(again.scores, first.scores)
    await shelf.db.execute_text("UPDATE codebase.repositories SET generation = generation + 1")
    assert (await shelf.candidates(Filter())).view is not view


async def test_an_index_that_was_rewritten_meanwhile_is_read_again(shelf: Shelf) -> None:
    views = shelf.db.cached(Views)
    before, _ = await views.current(shelf.db)
    for statement in REWRITE.split(";"):
        await shelf.db.execute_text(statement)
    asked = []

    async def having(view: Any, _: Any) -> list[int]:
        asked.append(view)
        return await (before if len(asked) == 1 else view).having(shelf.db, "only5555")

    assert await views.of(shelf.db, having) == [5555]
    assert len(asked) == 2


EVERYTHING: tuple[list[Any], ...] = ([], [], [])
INDEXED = {
    "find_called": (
        (["name_7"], ["name7", "name9"], *EVERYTHING, DEPTH, 40, COMMON),
        {"idx_symbols_name", "idx_files_path_terms"},
    ),
    "find_postings": ((["word5", "only77"],), {"postings_pkey"}),
    "read_hits": (([1, 77, 4000], 0), {"chunks_pkey"}),
    "get_candidates": (
        ([1, 77, 4000], *EVERYTHING, json.dumps([0.1] * DIMENSION), 1),
        {"chunks_pkey", "idx_files_content", "embeddings_pkey"},
    ),
    "find_nearest_among": (
        (json.dumps([0.1] * DIMENSION), 1, 20, [1, 4000], [10, 10]),
        {"embeddings_pkey"},
    ),
}


@pytest.mark.parametrize("name", INDEXED)
async def test_each_statement_of_a_search_asks_its_index(shelf: Shelf, name: str) -> None:
    arguments, expected = INDEXED[name]
    rows = await shelf.db.fetch_text(f"EXPLAIN {getattr(SQL, name).text}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert all(index in plan for index in expected), plan


async def test_the_nearest_are_asked_of_the_graph_and_the_later_ones_of_their_key(
    shelf: Shelf, questions: Vectors
) -> None:
    statement = vectors.nearest(shelf.model, DIMENSION, shelf.indexed_to, 10)
    rows = await shelf.db.fetch_text(f"EXPLAIN {statement}", shelf.meaning(questions[0]).vector)
    plan = "\n".join(row[0] for row in rows)
    assert f"Index Scan using embeddings_x_{shelf.model}_{EARLIER}" in plan, plan
    assert f"chunk_id > {EARLIER}" in plan, plan
