"""A model of sentence-transformers, in a thread of this process.

The package is an extra (`undercroft[transformers]`) and loaded on first use: it brings torch, whose
import alone takes seconds. A model's own code is never run (`trust_remote_code` stays off).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from undercroft.codebase.embedding.faults import ModelFault
from undercroft.codebase.embedding.model import Floats, checked_dimension, identity_of, unit
from undercroft.codebase.embedding.prefixes import prefixes_of

if TYPE_CHECKING:
    from undercroft.offers import EmbeddingOffer

T = TypeVar("T")

PIECE = 1 << 20


class Encoder(Protocol):
    """What we use of `sentence_transformers.SentenceTransformer`."""

    def encode(self, sentences: list[str], **how: Any) -> Any:
        """One row for each sentence."""


class Transformer:
    """One model; a single thread asks it, because torch uses all cores by itself."""

    here = False
    concurrency = 1

    def __init__(
        self, offer: EmbeddingOffer, load: Callable[[EmbeddingOffer], Encoder] | None = None
    ) -> None:
        self.name = offer.name
        self.batch = offer.batch
        self._offer = offer
        self._load = load or _loaded
        self._prefixes = prefixes_of(offer)
        self._thread = ThreadPoolExecutor(1, f"embedding-{offer.name}")
        self._encoder: Encoder | None = None
        self._identity = ""
        self._dimension = offer.dimension

    async def identity(self) -> str:
        """See `Model`; a folder is known by what is in it, a name by its revision."""
        if not self._identity:
            of_files = await asyncio.to_thread(_digest, self._offer.model)
            self._identity = identity_of(self._offer, of_files)
        return self._identity

    async def dimension(self) -> int:
        """See `Model`."""
        if not self._dimension:
            await self._vectors(["def probe(): pass"])
        return self._dimension

    async def documents(self, texts: Sequence[str]) -> Floats:
        """See `Model`."""
        return await self._vectors([f"{self._prefixes.document}{text}" for text in texts])

    async def query(self, text: str) -> Floats:
        """See `Model`."""
        found: Floats = (await self._vectors([f"{self._prefixes.query}{text}"]))[0]
        return found

    async def close(self) -> None:
        """Let the thread end after what it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._encoder = None

    async def _vectors(self, texts: Sequence[str]) -> Floats:
        cut = [text[: self._offer.longest] for text in texts]
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._encode, cut)

    def _encode(self, texts: list[str]) -> Floats:
        if self._encoder is None:
            self._encoder = self._load(self._offer)
        try:
            found = np.asarray(
                # An empty prompt: the words that belong before a text stand there already.
                self._encoder.encode(
                    texts, prompt="", batch_size=len(texts), show_progress_bar=False
                ),
                dtype=np.float64,
            )
        except (RuntimeError, ValueError) as error:
            raise ModelFault(
                f"The embedding model {self.name} fails ({type(error).__name__}).", passing=True
            ) from error
        if found.ndim != 2 or len(found) != len(texts) or not np.isfinite(found).all():  # noqa: PLR2004 - a table
            raise ModelFault(f"The embedding model {self.name} made what are no vectors.")
        self._dimension = checked_dimension(self._offer, found.shape[1], self._dimension)
        return unit(found)


def _loaded(offer: EmbeddingOffer) -> Encoder:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - see above
    except ImportError as error:
        raise ModelFault(
            f"The embedding model {offer.name} needs the package sentence-transformers.",
            hint="Install it beside Undercroft: pip install 'undercroft[transformers]'.",
        ) from error
    try:
        encoder: Encoder = SentenceTransformer(
            str(Path(offer.model).expanduser()) if _is_folder(offer.model) else offer.model,
            revision=offer.revision or None,
            truncate_dim=offer.dimension if offer.shorten else None,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ModelFault(
            f"The embedding model {offer.name} cannot be loaded ({type(error).__name__}).",
            hint="Its `model` is a folder, or a name that can be fetched from the hub.",
            passing=True,
        ) from error
    return encoder


def _is_folder(name: str) -> bool:
    return Path(name).expanduser().is_dir()


def _digest(model: str) -> str:
    """Of all files of a folder; empty for a name."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return ""
    state = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            state.update(f"\0{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    state.update(piece)
    return state.hexdigest()
