"""Embedding models that the operator offers, as the setting `embedding_models` names them.

A project picks one of them by its name and can say nothing else about it. An agent may change a
project's settings, so a URL written there would let it send the whole code, and the server's key,
wherever it likes, or make the server ask any address of its network. Who runs the server decides
where code may go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

BUILTIN = "builtin"
"""The model that comes along."""

MOST_DIMENSIONS = 4_000
"""What a half-precision vector with an index can have (pgvector)."""


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("a URL such as http://127.0.0.1:11434/v1 is wanted")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the URL carries no password and no question; `key` names the key")
    return url.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class EmbeddingOffer:
    """One model, and how it is reached."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,47}$")]
    """What projects call it."""
    provider: Literal["openai", "sentence-transformers"] = "openai"
    """openai: any endpoint that speaks OpenAI's protocol, as Ollama, vLLM and LM Studio do."""
    model: Annotated[str, Field(min_length=1, max_length=500)]
    """What the provider calls it; for sentence-transformers also a folder."""
    url: Annotated[str, AfterValidator(_checked_url)] = ""
    """What stands before /embeddings."""
    key: Annotated[str, Field(pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$")] = ""
    """The environment variable of the server that holds the endpoint's key."""
    dimension: Annotated[int, Field(ge=0, le=MOST_DIMENSIONS)] = 0
    """Numbers in a vector; 0: as many as the model makes."""
    shorten: bool = False
    """Ask the endpoint for vectors of this dimension, where the model can make shorter ones."""
    query_prefix: str | None = None
    """What stands before a question; None: what is known of the model."""
    document_prefix: str | None = None
    """What stands before code; None: what is known of the model."""
    batch: Annotated[int, Field(ge=1, le=2_048)] = 32
    """Texts in one request."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 2
    """Requests at once."""
    timeout: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    """Seconds for one request."""
    longest: Annotated[int, Field(ge=100, le=100_000)] = 6_000
    """Characters of a text that are sent; the rest is cut off."""
    encoding: Literal["float", "base64"] = "float"
    """How vectors are asked for; either is understood."""
    revision: str = ""
    """Of the model. Another one, and all is embedded again."""

    def __post_init__(self) -> None:
        """Refuse what would only be found out later."""
        if self.name == BUILTIN:
            raise ValueError(f"{BUILTIN} is the name of the model that comes along")
        if (self.provider == "openai") != bool(self.url):
            raise ValueError("`url` is for the provider openai, which needs it")
        if self.shorten and not self.dimension:
            raise ValueError("`shorten` needs a dimension")

    @property
    def label(self) -> str:
        """Provider and model, as the database names them: of a folder its last part alone."""
        is_path = self.provider == "sentence-transformers" and self.model.startswith(
            ("/", "~", ".")
        )
        return f"{self.provider}/{PurePath(self.model).name if is_path else self.model}"

    def __str__(self) -> str:
        """As `doctor` shows it."""
        return f"{self.name} ({self.model} {f'at {self.url}' if self.url else 'in this process'})"


def _listed(raw: Any) -> Any:
    """A table of models, or JSON of one, as a list in which each has its name."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw) if raw.strip() else {}
        except json.JSONDecodeError as error:
            raise ValueError(f"it is no JSON ({error.msg})") from None
    if isinstance(raw, Mapping):
        if not all(isinstance(of, Mapping) for of in raw.values()):
            raise ValueError("each model is a table, by its name")
        return [{**of, "name": name} for name, of in raw.items()]
    return raw


EmbeddingOffers = Annotated[tuple[EmbeddingOffer, ...], BeforeValidator(_listed)]
