"""The built-in model: a vector for each word, a text the weighted sum of its words."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from undercroft.codebase.embedding.tokens import Words

WEIGHTS = "weights.npz"
BATCH = 256
"""Texts whose words are counted at once."""
ID_BITS = 16

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class StaticModel:
    """Text → unit vector, without context: one look-up and one sum a word, no network, no GPU."""

    identity: str
    """Changes whenever any text could get another vector; stored beside the vectors."""
    dimension: int
    vectors: npt.NDArray[np.int8]
    """One row for each word."""
    scales: Floats
    """What one step of a row stands for: so the row's length is the word's weight."""
    words: Words

    @classmethod
    def load(cls) -> Self:
        """The model whose weights lie in this package."""
        return cls.read(files(__package__).joinpath(WEIGHTS).read_bytes())

    @classmethod
    def read(cls, weights: bytes) -> Self:
        """A model from the bytes of its file, as `packed` writes it."""
        with np.load(BytesIO(weights), allow_pickle=False) as stored:
            vectors, scales = stored["vectors"], stored["scales"].astype(np.float32)
            names = stored["words"].tobytes().decode().split("\n")
        digest = hashlib.sha256(weights).hexdigest()[:12]
        return cls(
            identity=f"undercroft-static-{vectors.shape[1]}/{digest}",
            dimension=vectors.shape[1],
            vectors=vectors,
            scales=scales,
            words=Words(dict(zip(names, range(len(names)), strict=True))),
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        """One unit vector for each text, in order; all zeros where no word is known."""
        found = np.zeros((len(texts), self.dimension), np.float32)
        for at in range(0, len(texts), BATCH):
            self._sum([self.words.text(text) for text in texts[at : at + BATCH]], found[at:])
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, lengths, out=found, where=lengths > 0)
        return found

    def _sum(self, packed: Sequence[bytes], found: Floats) -> None:
        """Add up the words of each text; a word counts 1 + ln(times).

        One text at a time, so that its rows stay in the cache, and without BLAS, whose threads
        would fight with the other workers: four times as fast as one `reduceat` over all.
        """
        counts = np.fromiter(map(len, packed), np.int64, len(packed)) >> 1
        ids = np.frombuffer(b"".join(packed), "<u2").astype(np.int64)
        keys = np.repeat(np.arange(len(packed)) << ID_BITS, counts) | ids
        keys, times = np.unique(keys, return_counts=True)
        ends = np.searchsorted(keys, np.arange(len(packed) + 1) << ID_BITS).tolist()
        ids = keys & (1 << ID_BITS) - 1
        weights = (self.scales[ids] * (1 + np.log(times))).astype(np.float32)[:, None]
        for text, (start, end) in enumerate(pairwise(ends)):
            rows = self.vectors.take(ids[start:end], 0).astype(np.float32)
            rows *= weights[start:end]
            np.add.reduce(rows, 0, out=found[text])


def packed(words: Sequence[str], vectors: Floats) -> bytes:
    """The file of a model: int8 vectors with a scale for each word."""
    scales = np.maximum(np.abs(vectors).max(axis=1), 1e-6).astype(np.float16) / 127
    scales = scales.astype(np.float16)
    steps = np.rint(vectors / scales.astype(np.float32)[:, None]).clip(-127, 127).astype(np.int8)
    file = BytesIO()
    text = np.frombuffer("\n".join(words).encode(), np.uint8)
    np.savez(file, words=text, vectors=steps, scales=scales)
    return file.getvalue()
