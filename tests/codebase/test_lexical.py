import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercroft.codebase.lexical import K1, MAX_CHUNKS, B, Collection, Occurrences, best, build

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=12)


def stored(batches: list[list[list[str]]]) -> tuple[Collection, dict[str, Occurrences]]:
    """The batches as segments, whose first chunks are numbered 1000, 2000 …"""
    segments = [build(batch) for batch in batches]
    collection = Collection(
        ((number + 1) * 1000, segment.lengths) for number, segment in enumerate(segments)
    )
    postings: dict[str, list[tuple[int, bytes]]] = {}
    for number, segment in enumerate(segments):
        for term, data in segment.postings.items():
            postings.setdefault(term, []).append((number, data))
    return collection, {term: collection.occurrences(of) for term, of in postings.items()}


def by_the_book(documents: list[list[str]], query: str) -> list[float]:
    """The formula once more, a document and a term at a time."""
    size = len(documents)
    average = max(sum(map(len, documents)) / size, 1)
    scores = []
    for document in documents:
        counts, score = Counter(document), 0.0
        for term in query:
            df = sum(term in other for other in documents)
            idf = math.log(1 + (size - df + 0.5) / (df + 0.5))
            tf = counts[term]
            score += idf * tf * (K1 + 1) / (tf + K1 * (1 - B + B * len(document) / average))
        scores.append(score)
    return scores


@given(st.lists(st.lists(WORDS, min_size=1, max_size=9), min_size=1, max_size=4))
def test_scores_over_segments_are_those_of_the_formula(batches) -> None:
    collection, postings = stored(batches)
    query = {term: postings.get(term) or collection.occurrences([]) for term in "abc"}
    documents = [document for batch in batches for document in batch]
    scores = collection.score(collection.idf(query), query)
    assert scores == pytest.approx(by_the_book(documents, "abc"), rel=1e-5)


def test_rows_are_the_chunks_of_their_segments() -> None:
    collection, _ = stored([[["a"], ["b"]], [["c"]]])
    assert collection.chunks(np.array([0, 1, 2])).tolist() == [1000, 1001, 2000]


def test_rare_and_common_terms_take_the_shorter_form() -> None:
    segment = build([["common", "rare"]] + [["common"]] * 99)
    assert len(segment.postings["common"]) == 100
    assert len(segment.postings["rare"]) == 3
    assert segment.total == 101


def test_a_term_counts_at_most_255_times() -> None:
    segment = build([["a"] * 1000])
    assert segment.postings["a"] == b"\xff"
    assert segment.total == 1000


def test_the_best_come_first_and_only_visible_ones_when_asked() -> None:
    scores = np.array([0, 3, 1, 3, 2], dtype=np.float32)
    assert best(scores, 3).tolist() == [1, 3, 4]
    assert best(scores, 9).tolist() == [1, 3, 4, 2]
    assert best(scores, 0).tolist() == []
    visible = np.array([True, False, True, False, True])
    assert best(scores, 3, visible).tolist() == [4, 2]


@pytest.mark.parametrize("limit", [1, 10, 200])
@pytest.mark.parametrize("matching", [0.001, 0.3, 1.0])
def test_the_best_of_many_are_those_of_a_full_sort(limit: int, matching: float) -> None:
    chance = np.random.default_rng(limit)
    scores = chance.gamma(2.0, size=100_000).astype(np.float32)
    scores[chance.random(100_000) >= matching] = 0
    visible = chance.random(100_000) < 0.5
    for mask in (None, visible):
        shown = scores if mask is None else np.where(mask, scores, 0)
        order = np.argsort(-shown, kind="stable")[:limit]
        assert best(scores, limit, mask).tolist() == [row for row in order if shown[row] > 0]


def test_an_empty_collection_answers_with_nothing() -> None:
    collection = Collection([])
    nowhere = collection.occurrences([])
    assert best(collection.score({"a": 1.0}, {"a": nowhere}), 10).tolist() == []


def test_a_segment_refuses_more_than_it_can_number() -> None:
    with pytest.raises(ValueError, match="segment holds"):
        build([[]] * (MAX_CHUNKS + 1))
