"""Which embedding models an operator may offer, and how the setting is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from undercroft.codebase.choice import Models
from undercroft.errors import InvalidInput
from undercroft.settings import Settings, load_settings

GOOD = {"model": "nomic-embed-text", "url": "http://127.0.0.1:11434/v1/", "dimension": 768}


def loaded(home: Path, models: Any, **environ: str) -> Settings:
    text = models if isinstance(models, str) else json.dumps(models)
    given = {"UNDERCROFT_HOME": str(home), "UNDERCROFT_EMBEDDING_MODELS": text}
    return load_settings({}, given | environ)


def test_a_variable_and_the_file_mean_the_same(tmp_path: Path) -> None:
    from_variable = loaded(tmp_path, {"nomic": GOOD}).embedding_models
    (tmp_path / "config.toml").write_text(
        '[embedding_models.nomic]\nmodel = "nomic-embed-text"\n'
        'url = "http://127.0.0.1:11434/v1"\ndimension = 768\n'
    )
    [offer] = load_settings({"home": str(tmp_path)}, {}).embedding_models
    assert (offer,) == from_variable
    assert (offer.name, offer.url, offer.provider) == (
        "nomic",
        "http://127.0.0.1:11434/v1",
        "openai",
    )


@pytest.mark.parametrize("dimension", [0, 384, 768, 1536, 4000])
def test_dimensions_up_to_4000_can_be_offered(tmp_path: Path, dimension: int) -> None:
    [offer] = loaded(tmp_path, {"m": {**GOOD, "dimension": dimension}}).embedding_models
    assert offer.dimension == dimension


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"dimension": 4001}, "dimension: Input should be less than or equal to 4000"),
        ({"dimension": -1}, "dimension"),
        ({"url": "ftp://example.com"}, "a URL such as"),
        ({"url": "http:///v1"}, "a URL such as"),
        ({"url": "https://user:canary@example.com/v1"}, "no password"),
        ({"url": "https://example.com/v1?key=canary"}, "no password and no question"),
        ({"url": ""}, "a URL such as"),
        ({"provider": "sentence-transformers"}, "`url` is for the provider openai"),
        ({"provider": "carrier-pigeon"}, "provider"),
        ({"model": ""}, "model"),
        ({"key": "sk-canary"}, "key"),
        ({"shorten": True, "dimension": 0}, "`shorten` needs a dimension"),
        ({"batch": 0}, "batch"),
        ({"token": "canary"}, "token"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_without_its_value(
    tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidInput, match="UNDERCROFT_EMBEDDING_MODELS") as caught:
        loaded(tmp_path, {"m": {**GOOD, **changed}})
    assert says in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    ["[", "7", '{"m": 7}', '{"builtin": {"model": "m", "url": "http://h/v1"}}', '{"A!": {}}'],
)
def test_what_is_no_table_of_models_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput, match="UNDERCROFT_EMBEDDING_MODELS"):
        loaded(tmp_path, text)


async def test_each_model_has_the_key_of_the_variable_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    offers = {
        "own": {**GOOD, "key": "UNDERCROFT_EMBEDDING_KEY"},
        "other": {**GOOD, "key": "OTHER_KEY"},
        "none": GOOD,
    }
    settings = loaded(tmp_path, offers, UNDERCROFT_EMBEDDING_KEY="sk-own")
    models = Models.of(settings)
    keys = {name: models.named(name)._key for name in offers}  # type: ignore[attr-defined]
    assert keys == {"own": "sk-own", "other": "sk-other", "none": ""}
    assert "sk-" not in repr(settings.embedding_models)


async def test_whatever_changes_a_vector_changes_the_identity(tmp_path: Path) -> None:
    async def identity(**changed: Any) -> str:
        settings = loaded(tmp_path, {"m": {**GOOD, **changed}})
        return await Models.of(settings).named("m").identity()

    same = await identity()
    assert same.startswith("openai/nomic-embed-text/")
    assert await identity(batch=7, concurrency=9, timeout=1.0, encoding="base64", key="K") == same
    for changed in (
        {"url": "http://127.0.0.1:11435/v1"},
        {"model": "nomic-embed-text:v2"},
        {"dimension": 512},
        {"shorten": True},
        {"query_prefix": ""},
        {"document_prefix": "x"},
        {"longest": 500},
        {"revision": "2"},
    ):
        assert await identity(**changed) != same, changed
