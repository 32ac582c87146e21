"""What is remembered of texts is what the model would say, and never more than its limit."""

import numpy as np
import pytest

from undercroft.codebase.embedding import builtin, memory
from undercroft.codebase.embedding.memory import Remembered
from undercroft.codebase.embedding.static import Floats, StaticModel


def test_what_is_known_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    encode = StaticModel.encode

    def watched(model: StaticModel, texts: list[str]) -> Floats:
        asked.extend(texts)
        return encode(model, texts)

    monkeypatch.setattr(StaticModel, "encode", watched)
    model = Remembered(builtin())
    for texts in (["http/session", "db/pool"], ["db/pool", "lease", "db/pool"], ["lease"]):
        found = model.encode(texts)
        assert np.allclose(found, encode(builtin(), texts))
    assert sorted(asked) == ["db/pool", "http/session", "lease"]


def test_it_forgets_before_it_grows_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT", 3)
    model = Remembered(builtin())
    for texts in (["a lease", "a pool"], ["a pool", "a table", "a row"], ["a table"]):
        assert np.allclose(model.encode(texts), builtin().encode(texts))
        assert len(model._known) <= 3
