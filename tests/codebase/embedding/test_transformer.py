"""A model of sentence-transformers: loaded on first use, in a thread, checked as any other."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from undercroft.codebase.embedding.faults import ModelFault
from undercroft.codebase.embedding.transformer import Transformer
from undercroft.offers import EmbeddingOffer

from .provider import vector

Make = Callable[..., Transformer]


class Stand:
    """What answers in place of torch."""

    def __init__(self, dimension: int = 8) -> None:
        self.dimension = dimension
        self.texts: list[str] = []
        self.threads: set[int] = set()
        self.prompts: set[str] = set()

    def encode(self, sentences: list[str], *, prompt: str, **_: Any) -> Any:
        self.threads.add(threading.get_ident())
        self.texts += sentences
        self.prompts.add(prompt)
        return np.array([vector(text, self.dimension) for text in sentences])


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[Transformer] = []

    def make(load: Any = None, **settings: Any) -> Transformer:
        offer = {"name": "st", "provider": "sentence-transformers", "model": "m"} | settings
        made.append(Transformer(EmbeddingOffer(**offer), load))
        return made[-1]

    yield make
    for model in made:
        await model.close()


async def test_texts_and_questions_have_unit_vectors_made_in_one_thread(make: Make) -> None:
    stand = Stand()
    loads: list[EmbeddingOffer] = []

    def load(offer: EmbeddingOffer) -> Stand:
        loads.append(offer)
        return stand

    model = make(load, model="intfloat/e5-small-v2")
    found = await model.documents(["a b", "c"])
    asked = await model.query("where?")
    assert found.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm([*found, asked], axis=1), 1, atol=1e-6)
    assert stand.texts == ["passage: a b", "passage: c", "query: where?"]
    assert stand.prompts == {""}
    assert len(loads) == 1
    assert stand.threads.isdisjoint({threading.get_ident()})
    assert len(stand.threads) == 1


async def test_other_dimensions_than_can_be_stored_are_refused(make: Make) -> None:
    with pytest.raises(ModelFault, match="4001 numbers; at most 4000"):
        await make(lambda _: Stand(4001)).dimension()
    with pytest.raises(ModelFault, match="8 numbers, where 16 are expected"):
        await make(lambda _: Stand(), dimension=16).query("a")


async def test_what_is_no_table_of_numbers_is_refused(make: Make) -> None:
    class Broken(Stand):
        def encode(self, sentences: list[str], *, prompt: str, **_: Any) -> Any:
            return np.full((len(sentences), 8), np.nan)

    with pytest.raises(ModelFault, match="no vectors"):
        await make(lambda _: Broken()).documents(["a"])


async def test_a_folder_is_known_by_what_is_in_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"one")
    first = await make(model=str(tmp_path)).identity()
    assert await make(model=str(tmp_path)).identity() == first
    (tmp_path / "weights").write_bytes(b"two")
    assert await make(model=str(tmp_path)).identity() != first
    named = make(model="intfloat/e5-small-v2")
    assert (
        await named.identity()
        != await make(model="intfloat/e5-small-v2", revision="abc").identity()
    )


async def test_without_the_package_the_error_says_what_to_install(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelFault, match="needs the package") as caught:
        await make().query("where?")
    assert "undercroft[transformers]" in caught.value.hint


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A real model of two small layers with chance weights, where the package is installed."""
    library = pytest.importorskip("sentence_transformers")
    transformers = pytest.importorskip("transformers")
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    words += [f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    bare = tmp_path / "bare"
    numbers = {word: number for number, word in enumerate(words)}
    transformers.BertTokenizerFast(vocab=numbers).save_pretrained(bare)
    transformers.BertModel(
        transformers.BertConfig(
            vocab_size=len(words),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
        )
    ).save_pretrained(bare)
    reader = modules.Transformer(str(bare), max_seq_length=64)
    pooled = modules.Pooling(32)
    library.SentenceTransformer(modules=[reader, pooled], device="cpu").save(str(tmp_path / "st"))
    return tmp_path / "st"


async def test_a_real_model_of_a_folder_is_loaded_and_asked(make: Make, folder: Path) -> None:
    model = make(model=str(folder))
    assert await model.dimension() == 32
    found = await model.documents(["retry with backoff", "parse the header", ""])
    asked = await model.query("retry with backoff")
    assert float(found[0] @ asked) == pytest.approx(1, abs=1e-4)
    assert float(found[1] @ asked) < 1
    shorter = make(model=str(folder), dimension=16, shorten=True)
    assert (await shorter.documents(["a"])).shape == (1, 16)
