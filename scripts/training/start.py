"""Where the learning starts: what a small transformer makes of each word alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

DIMENSION = 256
BATCH = 512


def word_vectors(folder: Path, words: list[str]) -> npt.NDArray[np.float32]:
    """Each word's vector, the mean over its tokens, by PCA in as many dimensions as the model has.

    `folder` holds a BERT model in the layout of transformers (all-MiniLM-L6-v2, Apache-2.0).
    """
    import torch  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - training only
    from transformers import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
        AutoModel,
        AutoTokenizer,
    )

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    found = []
    with torch.inference_mode():
        for at in range(0, len(words), BATCH):
            batch = tokenizer(words[at : at + BATCH], padding=True, return_tensors="pt")
            states = model(**batch).last_hidden_state
            mask = batch["attention_mask"][:, :, None]
            found.append(((states * mask).sum(1) / mask.sum(1)).numpy())
    return principal(np.concatenate(found))


def principal(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The vectors in their first principal directions, each of length 1."""
    centred = vectors - vectors.mean(0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    turned = centred @ directions[:, ::-1][:, :DIMENSION]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    return np.asarray(turned, np.float32)
