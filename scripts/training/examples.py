"""The mined pairs as numbers: what the learning reads, made once from the folder of mined files."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from training.comments import first_sentence
from training.languages import SUFFIXES
from undercroft.codebase.embedding.tokens import Words, parts, words

WORDS = 28_000
"""Rows of the model: with 256 bytes each and the words themselves 7.5 MB."""
FEWEST_PACKAGES = 3
LONGEST_WORD = 24
SHORTEST_QUERY, SHORTEST_CODE = 4, 12
"""Bytes of ids: two words, and six."""
LANGUAGES = sorted(set(SUFFIXES.values()))
KINDS = ("function", "class", "module", "inner", "section", "mention")


@dataclass(frozen=True, kw_only=True)
class Examples:
    """All pairs; texts as ids in one array each, cut at offsets."""

    words: list[str]
    rarity: npt.NDArray[np.float32]
    """Inverse document frequency of each word, over code and words."""
    queries: npt.NDArray[np.uint16]
    query_ends: npt.NDArray[np.int64]
    sentences: npt.NDArray[np.int32]
    """Ids of each query that are its first sentence."""
    codes: npt.NDArray[np.uint16]
    code_ends: npt.NDArray[np.int64]
    packages: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.int32]
    files: npt.NDArray[np.int64]
    languages: npt.NDArray[np.int32]


def records(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a mined file."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            yield json.loads(line)


def vocabulary(mined: list[Path]) -> tuple[list[str], npt.NDArray[np.float32]]:
    """The words worth a vector, and the rarity of each.

    A word counts by the root of the pairs of each package that have it, so that a large
    package does not fill the list with its own names.
    """
    spread: Counter[str] = Counter()
    weight: defaultdict[str, float] = defaultdict(float)
    pairs_with: Counter[str] = Counter()
    total = 0
    split: dict[bytes, list[str]] = {}
    for path in mined:
        own: Counter[str] = Counter()
        for record in records(path):
            total += 1
            found: set[str] = set()
            for word in set(words(record["query"] + "\n" + record["code"])):
                if word not in split:
                    split[word] = parts(word.decode())
                found.update(split[word])
            own.update(found)
        spread.update(own.keys())
        pairs_with.update(own)
        for part, times in own.items():
            weight[part] += math.sqrt(times)
    heaviest = sorted(weight, key=lambda word: (-weight[word], word))
    known = [w for w in heaviest if spread[w] >= FEWEST_PACKAGES and len(w) <= LONGEST_WORD]
    kept = sorted(known[:WORDS])
    rarity = [math.log(1 + total / pairs_with[word]) for word in kept]
    return kept, np.array(rarity, np.float32)


def prepare(mined: list[Path]) -> Examples:
    """Read all pairs twice: for the vocabulary and into numbers."""
    known, rarity = vocabulary(mined)
    ids = Words({word: at for at, word in enumerate(known)})
    queries, codes, sentences, packages, kinds, files = [], [], [], [], [], []
    languages = []
    for number, path in enumerate(mined):
        for record in records(path):
            query, code = ids.text(record["query"]), ids.text(record["code"])
            if len(query) < SHORTEST_QUERY or len(code) < SHORTEST_CODE:
                continue
            queries.append(query)
            codes.append(code)
            sentences.append(len(ids.text(first_sentence(record["query"]))) // 2)
            packages.append(number)
            kinds.append(KINDS.index(record["kind"]))
            languages.append(LANGUAGES.index(record["language"]))
            files.append(number << 32 | crc32(record["path"].encode()))
    return Examples(
        words=known,
        rarity=rarity,
        queries=np.frombuffer(b"".join(queries), np.uint16),
        query_ends=np.cumsum([0] + [len(q) // 2 for q in queries]),
        sentences=np.array(sentences, np.int32),
        codes=np.frombuffer(b"".join(codes), np.uint16),
        code_ends=np.cumsum([0] + [len(c) // 2 for c in codes]),
        packages=np.array(packages, np.int32),
        kinds=np.array(kinds, np.int32),
        files=np.array(files, np.int64),
        languages=np.array(languages, np.int32),
    )


def save(examples: Examples, path: Path) -> None:
    """As one file for the runs of the learning."""
    values = {**vars(examples), "words": np.array("\n".join(examples.words))}
    np.savez(path, **values)


def load(path: Path) -> Examples:
    """What `save` wrote."""
    with np.load(path) as stored:
        values = {name: stored[name] for name in stored.files}
    return Examples(**{**values, "words": str(values["words"]).split("\n")})
