"""A provider of embeddings on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .provider import Provider, serving


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider
