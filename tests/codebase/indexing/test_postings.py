"""Postings are counted as `lexical.build` counts them, and stay the same when segments merge."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.codebase import lexical, words
from undercroft.codebase.indexing import binary, postings, tidying
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.indexing.sql import SQL

if TYPE_CHECKING:
    from .conftest import Bench

TOTALS = "SELECT count(*) AS segments, sum(total) AS total FROM codebase.segments"

CODE = st.text(
    st.sampled_from(list("abcABC01_ .()\n")) | st.characters(exclude_categories=["Cs"]),
    max_size=60,
)


@given(st.lists(CODE, max_size=12))
def test_the_fast_way_counts_as_the_plain_one(texts: list[str]) -> None:
    assert postings.build(texts) == lexical.build([words.terms(text) for text in texts])


def test_a_term_counts_at_most_255_times() -> None:
    texts = ["spam " * 300, "egg", "spam spam"]
    assert postings.build(texts) == lexical.build([words.terms(text) for text in texts])


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 255))
def test_what_is_encoded_can_be_decoded(has: list[bool], count: int) -> None:
    places = np.flatnonzero(has)
    counts = np.full(len(places), count, dtype=np.uint8)
    data = postings.encoded(places, counts, len(has))
    again = postings.decoded(data, len(has))
    assert again[0].tolist() == places.tolist()
    assert again[1].tolist() == counts.tolist()


@given(st.lists(st.tuples(st.integers(-9, 10**9), CODE), max_size=9), st.integers(0, 10**12))
def test_numbers_are_shifted_in_every_row(given_rows: list[tuple[int, str]], amount: int) -> None:
    head = struct.Struct("!hiq")
    rows = binary.pack(head.pack(2, 8, n) + binary.text(text) for n, text in given_rows)
    shifted = binary.shifted(rows, (binary.FIRST, 8, amount))
    plain = b"".join(head.pack(2, 8, n + amount) + binary.text(text) for n, text in given_rows)
    assert shifted == binary.HEAD + plain + binary.TAIL


async def scores(rows, query: str) -> dict[str, float]:
    """Each chunk that matches, by its text, with its score."""
    segments = await rows("SELECT id, first_chunk, lengths FROM codebase.segments ORDER BY id")
    collection = lexical.Collection([(s["first_chunk"], s["lengths"]) for s in segments])
    places = {s["id"]: place for place, s in enumerate(segments)}
    found: dict[str, list[tuple[int, bytes]]] = {}
    for row in await rows("SELECT * FROM codebase.postings ORDER BY segment_id"):
        if row["term"] in words.asked(query):
            found.setdefault(row["term"], []).append((places[row["segment_id"]], row["postings"]))
    score = collection.score(dict.fromkeys(found, 1.0), found)
    best = lexical.best(score, 100)
    chunks = {row["id"]: row["content"] for row in await rows("SELECT * FROM codebase.chunks")}
    return {
        chunks[int(chunk)]: float(score[row])
        for row, chunk in zip(best, collection.chunks(best), strict=True)
        if int(chunk) in chunks
    }


async def test_merged_segments_say_what_the_small_ones_said(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "MANY", 100)
    await bench.indexer(batch_files=2).index(tree)
    await bench.indexer().settled()
    [before] = await bench.rows(TOTALS)
    assert before["segments"] > 10
    said = await scores(bench.rows, "reticulate_17 spline")
    assert len(said) > 20
    monkeypatch.setattr(tidying, "MANY", 8)
    await tidying.tidy(bench.db)
    [after] = await bench.rows(TOTALS)
    assert (after["segments"], after["total"]) == (1, before["total"])
    assert await scores(bench.rows, "reticulate_17 spline") == pytest.approx(said)
    await bench.sound()


async def test_a_segment_that_is_mostly_dead_is_written_anew(
    indexer: Indexer, project_db, tree: Path, rows, sound
) -> None:
    await indexer.index(tree)
    [before] = await rows("SELECT id, chunks, live FROM codebase.segments")
    # Every second one, so that the dead lie between the living.
    for number in range(0, 30, 2):
        (tree / f"part{number % 3}" / f"module_{number}.py").unlink()
    await indexer.index(tree)
    await indexer.settled()
    await sound()
    [after] = await rows("SELECT id, chunks, live FROM codebase.segments")
    assert after["id"] != before["id"]
    assert after["live"] == before["live"] - 15
    assert not await rows("SELECT FROM codebase.postings WHERE term = 'reticulate12'")
    found = await scores(rows, "reticulate_17")
    assert "reticulate_17" in max(found, key=lambda text: found[text])


async def test_segments_that_another_server_has_merged_are_left_alone(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "MANY", 100)
    await bench.indexer(batch_files=2).index(tree)
    await bench.indexer().settled()
    monkeypatch.setattr(tidying, "MANY", 8)
    chosen = tidying._chosen(await bench.db.fetch(SQL.list_segments))
    assert chosen is not None
    for _ in range(2):  # two servers that have looked at the same moment
        await tidying._rewrite(bench.db, chosen)
        await bench.sound()
    [after] = await bench.rows(TOTALS)
    assert after["segments"] == 1


async def test_chunks_in_any_order_on_disk_all_come_into_the_merged_segment(
    bench: Bench, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "MANY", 100)
    await bench.indexer(batch_files=2).index(tree)
    await bench.indexer().settled()
    # The first comes to stand behind the others, as where vacuum has made room.
    await bench.db.execute_text(
        "WITH moved AS (DELETE FROM codebase.chunks"
        " WHERE id = (SELECT min(id) FROM codebase.chunks) RETURNING *)"
        " INSERT INTO codebase.chunks SELECT * FROM moved"
    )
    monkeypatch.setattr(tidying, "MANY", 8)
    await tidying.tidy(bench.db)
    await bench.sound()
