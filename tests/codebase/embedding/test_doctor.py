"""What doctor says of embedding models: each is asked, and no key is shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from undercroft.app import open_app
from undercroft.app.doctor import describe_settings, examine
from undercroft.app.finding import Finding
from undercroft.offers import EmbeddingOffer
from undercroft.settings import Settings, load_settings


def offering(settings: Settings, *offers: EmbeddingOffer, embedding: str = "builtin") -> Settings:
    return replace(settings, embedding_models=offers, embedding=embedding)


async def findings(settings: Settings) -> dict[str, Finding]:
    return {one.what: one async for one in examine(settings)}


async def test_a_model_that_answers_is_told_with_its_dimension(
    settings: Settings, provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_KEY", "sk-canary")
    offer = EmbeddingOffer(name="tiny", model="t", url=provider.url, key="TINY_KEY")
    found = await findings(offering(settings, offer))
    assert found["embedding model tiny"].says == "answers with 32 numbers"
    assert found["key of tiny"].says == "TINY_KEY is set, and is sent without TLS"
    assert provider.keys == ["Bearer sk-canary"]
    assert "canary" not in str(found)


async def test_a_model_that_is_away_and_a_key_that_is_not_set_are_wrong(settings: Settings) -> None:
    offer = EmbeddingOffer(name="tiny", model="t", url="http://127.0.0.1:9/v1", key="NOT_SET_KEY")
    found = await findings(offering(settings, offer, embedding="tyni"))
    assert found["embedding model tiny"].verdict == "wrong"
    assert "does not answer" in found["embedding model tiny"].says
    assert found["key of tiny"].verdict == "warning"
    assert "tyni, the default, is not among builtin, tiny" in found["embedding model"].says


async def test_a_project_that_chooses_what_is_not_offered_is_named(
    settings: Settings, project_name: str
) -> None:
    async with open_app(settings) as app:
        projects = await app.projects("test")
        await projects.create(project_name, settings={"embedding": "nomic"})
    found = await findings(settings)
    assert "'nomic', which is not offered" in found[f"project {project_name}"].says


def test_models_are_shown_and_the_key_is_not(tmp_path) -> None:
    models = {"tiny": {"model": "t", "url": "http://127.0.0.1:9/v1"}}
    environ = {
        "UNDERCROFT_HOME": str(tmp_path),
        "UNDERCROFT_EMBEDDING_MODELS": json.dumps(models),
        "UNDERCROFT_EMBEDDING_KEY": "sk-canary",
    }
    shown = {row["setting"]: row["value"] for row in describe_settings(load_settings({}, environ))}
    assert shown["embedding_models"] == "tiny (t at http://127.0.0.1:9/v1)"
    assert shown["embedding_key"] == "[set]"
