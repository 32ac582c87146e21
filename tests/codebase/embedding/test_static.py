"""The built-in model: what it answers, how fast, and what it takes to load."""

import random
import time
from collections.abc import Sequence
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercroft.codebase import embedding
from undercroft.codebase.embedding import StaticModel, document_text
from undercroft.codebase.embedding.static import packed

MODEL = StaticModel.load()
RETRY = (
    "def call(self):\n    for attempt in range(limit):\n        try: send()\n        except: sleep"
)
PARSE = "function parseHeaders(buffer) {\n  const lines = buffer.split('\\r\\n')\n  return lines }"
LOGIN = "func checkPassword(user User, password string) bool { return bcrypt.Compare(user.Hash) }"


def nearest(query: str, texts: Sequence[str]) -> str:
    scores = MODEL.encode(texts) @ MODEL.encode([query])[0]
    return texts[int(scores.argmax())]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("retry a request after a failure with a delay", RETRY),
        ("read the header fields of an http message", PARSE),
        ("authenticate with a secret", LOGIN),
    ],
)
def test_a_question_in_words_finds_code_that_has_few_of_them(query: str, answer: str) -> None:
    assert nearest(query, [RETRY, PARSE, LOGIN]) == answer


def test_vectors_are_of_length_one_and_one_a_text_in_order() -> None:
    vectors = MODEL.encode([RETRY, PARSE, LOGIN])
    assert vectors.shape == (3, MODEL.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[1], MODEL.encode([PARSE])[0], atol=1e-6)


@pytest.mark.parametrize("text", ["", " \n\t", "{}();", "\x00\x01", "→ §", "\ud800"])
def test_a_text_without_words_is_all_zeros(text: str) -> None:
    assert not MODEL.encode([RETRY, text])[1].any()


def test_no_texts_give_no_vectors() -> None:
    assert MODEL.encode([]).shape == (0, MODEL.dimension)


@given(st.lists(st.text(), max_size=5))
@settings(max_examples=100, deadline=None)
def test_any_text_gives_a_unit_vector_or_zeros(texts: list[str]) -> None:
    lengths = np.linalg.norm(MODEL.encode(texts), axis=1)
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))


def test_the_same_text_has_the_same_vector_in_any_company() -> None:
    alone = MODEL.encode([RETRY])[0]
    crowd = MODEL.encode([PARSE] * 300 + [RETRY] + [LOGIN] * 300)[300]
    assert np.array_equal(alone, crowd)


def test_how_an_identifier_is_written_does_not_matter() -> None:
    camel, snake = MODEL.encode(["parseHttpHeaders", "parse_http_headers"])
    assert np.array_equal(camel, snake)


def test_an_unknown_word_is_read_by_the_words_inside_it() -> None:
    ids = MODEL.words.ids
    assert "routergroup" not in ids
    assert MODEL.words.pieces("routergroup") == ["router", "group"]
    joined, apart = MODEL.encode(["routergroup", "router group"])
    assert np.array_equal(joined, apart)


def test_the_identity_names_the_weights_and_changes_with_them() -> None:
    vectors = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    one = StaticModel.read(packed(["send", "receive"], vectors))
    other = StaticModel.read(packed(["send", "receive"], -vectors))
    assert one.identity != other.identity
    assert one.identity == StaticModel.read(packed(["send", "receive"], vectors)).identity
    assert MODEL.identity.startswith("undercroft-static-256/")


def test_packing_keeps_directions_and_lengths_to_a_percent() -> None:
    vectors = np.random.default_rng(1).standard_normal((9, 256)).astype(np.float32)
    vectors *= np.geomspace(0.01, 10, 9, dtype=np.float32)[:, None]
    stored = StaticModel.read(packed([f"word{chr(97 + at)}" for at in range(9)], vectors))
    again = stored.vectors * stored.scales[:, None]
    errors = np.linalg.norm(again - vectors, axis=1) / np.linalg.norm(vectors, axis=1)
    assert errors.max() < 0.015


def test_a_repeated_word_counts_less_each_time() -> None:
    once, often, other = MODEL.encode(["lease expired", "lease " * 50 + "expired", "lease"])
    assert once @ often > 0.8
    assert often @ other < 1


def test_the_package_carries_at_most_8_mb_and_a_card() -> None:
    folder = files(embedding)
    assert len(folder.joinpath("weights.npz").read_bytes()) <= 8_000_000
    card = folder.joinpath("model-card.md").read_text()
    assert MODEL.identity in card


def test_words_met_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(MODEL.words), "MOST", 100)
    before = MODEL.encode([RETRY])[0]
    MODEL.encode([f"name{at}x" for at in range(1_000)])
    assert len(MODEL.words) <= 100
    assert np.array_equal(before, MODEL.encode([RETRY])[0])


def test_chunks_are_encoded_at_ten_thousand_a_second() -> None:
    chooser = random.Random(1)  # noqa: S311 - the same texts each time
    names = list(MODEL.words.ids)
    texts = [" ".join(chooser.choices(names[:3_000], k=110)) for _ in range(2_000)]
    MODEL.encode(texts)
    spent = min(_spent(texts) for _ in range(3))
    print(f"{len(texts) / spent:,.0f} chunks/s of {sum(map(len, texts)) / 2_000:.0f} characters")
    assert len(texts) / spent > 10_000


def test_loading_takes_at_most_40_ms() -> None:
    def spent() -> float:
        started = time.process_time()
        StaticModel.load()
        return time.process_time() - started

    assert min(spent() for _ in range(3)) < 0.04


def test_what_is_embedded_of_a_chunk_is_its_place_in_the_code_and_its_text() -> None:
    chunk = SimpleNamespace(symbol="refuse", scope="Lease", text="raise Stale")
    assert document_text(chunk) == "Lease refuse\nraise Stale"


def _spent(texts: list[str]) -> float:
    started = time.process_time()
    MODEL.encode(texts)
    return time.process_time() - started
