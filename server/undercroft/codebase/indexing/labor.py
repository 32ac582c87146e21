"""The work on a batch of files, in a worker process or, for a few files, in the server's own."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from undercroft.codebase import chunking, embedding, masking
from undercroft.codebase.indexing import binary, postings, reading
from undercroft.codebase.indexing.batch import Batch, Seen, Wanted
from undercroft.codebase.indexing.rules import RULES

Ask = Callable[[Collection[str]], Collection[str]]
"""Which of these digests need no work."""

ENCODED_AT_ONCE = 1024
"""Chunks; bounds the memory that the model takes."""

_CONTENT = struct.Struct("!hiqiqiiiiiiii")
_CHUNK = struct.Struct("!hiqiqiiii")
_SYMBOL = struct.Struct("!hiqii")


class _Text(NamedTuple):
    path: str
    language: str
    text: str


class _New(NamedTuple):
    digest: str
    text: str
    masked: int
    parsed: chunking.Parsed


@dataclass(kw_only=True)
class Labor:
    """Reads, masks, parses and embeds."""

    model: embedding.StaticModel = field(default_factory=embedding.StaticModel.load)
    rules: str = RULES
    stages: dict[str, float] = field(default_factory=dict)

    def work(self, root: Path, files: Iterable[Wanted], model: int, ask: Ask) -> Batch:
        """Everything that is to be stored for these files; `model` is the model's number."""
        self.stages = {}
        texts: dict[str, _Text] = {}
        with self._stage("read"):
            found = [self._seen(read, texts) for read in reading.read_files(root, files)]
        new, renamed = self._masked(texts, ask)
        found = [
            file._replace(digest=renamed.get(file.digest, file.digest)) if file.digest else file
            for file in found
        ]
        texts.clear()
        return self._rows(found, [self._parsed(*one) for one in new], model)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.thread_time()
        try:
            yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.thread_time() - began

    def _seen(self, read: reading.Read, texts: dict[str, _Text]) -> Seen:
        file, text, omitted, settled = read
        mtime_ns = file.mtime_ns if settled else 0
        if omitted:
            reason = "" if omitted == reading.GONE else omitted
            return Seen(file.path, file.size, mtime_ns, file.inode, "", reason)
        language = chunking.language_of(file.path, text)
        digest = reading.digest(self.rules, language, text)
        texts[digest] = _Text(file.path, language, text)
        return Seen(file.path, file.size, mtime_ns, file.inode, digest, "")

    def _masked(
        self, texts: Mapping[str, _Text], ask: Ask
    ) -> tuple[list[tuple[str, _Text, int]], dict[str, str]]:
        """(digest, text, number of secrets) of what is new; and read digest → masked digest.

        A text without secrets is its own masked text, so most files are known by what was read,
        and nothing is ever stored that tells of an unmasked text.
        """
        new: list[tuple[str, _Text, int]] = []
        hidden: dict[str, tuple[_Text, int]] = {}
        renamed: dict[str, str] = {}
        known = ask(texts) if texts else set()
        with self._stage("mask"):
            for digest, one in texts.items():
                if digest in known:
                    continue
                masked = masking.mask(one.text)
                if not masked.found:
                    new.append((digest, one, 0))
                    continue
                own = reading.digest(self.rules, one.language, masked.text)
                renamed[digest] = own
                hidden[own] = one._replace(text=masked.text), masked.found
        known = ask(hidden) if hidden else set()
        new += [(own, *one) for own, one in hidden.items() if own not in known]
        return new, renamed

    def _parsed(self, digest: str, one: _Text, masked: int) -> _New:
        with self._stage("parse"):
            parsed = chunking.parse(one.path, one.text)
        return _New(digest, one.text, masked, parsed)

    def _rows(self, files: Sequence[Seen], new: Sequence[_New], model: int) -> Batch:
        chunks = [chunk for one in new for chunk in one.parsed.chunks]
        with self._stage("terms"):
            segment = postings.build([f"{c.scope} {c.symbol}\n{c.text}" for c in chunks])
        with self._stage("embed"):
            vectors = self._vectors(chunks)
        with self._stage("encode"):
            rows = {
                "contents": binary.pack(_contents(new)),
                "chunks": binary.pack(_chunks(new)),
                "symbols": binary.pack(_symbols(new)),
                "embeddings": binary.vectors(np.arange(len(chunks)), model, vectors),
                "postings": binary.pack(binary.postings(sorted(segment.postings.items()))),
            }
        return Batch(
            files=files,
            hashes=[one.digest for one in new],
            chunks=len(chunks),
            lengths=segment.lengths,
            total=segment.total,
            rows=rows,
            stages=self.stages,
        )

    def _vectors(self, chunks: Sequence[chunking.Chunk]) -> Any:
        found = np.zeros((len(chunks), self.model.dimension), dtype=np.float16)
        for at in range(0, len(chunks), ENCODED_AT_ONCE):
            some = chunks[at : at + ENCODED_AT_ONCE]
            texts = [embedding.document_text(chunk) for chunk in some]
            found[at : at + len(some)] = self.model.encode(texts)
        return found


def _contents(new: Sequence[_New]) -> Iterator[bytes]:
    """As `store.COLUMNS` has them."""
    first = 0
    for number, one in enumerate(new):
        count = len(one.parsed.chunks)
        lines = one.text.count("\n") + (not one.text.endswith("\n"))
        size = len(one.text.encode("utf-8", "replace"))
        fixed = (8, number, 8, first, 4, count, 4, lines, 4, size, 4, one.masked)
        yield (
            _CONTENT.pack(10, *fixed)
            + binary.blob(bytes.fromhex(one.digest))
            + binary.word(one.parsed.language)
            + binary.word(one.parsed.fallback)
            + binary.text(_uses(one.parsed.symbols))
        )
        first += count


def _chunks(new: Sequence[_New]) -> Iterator[bytes]:
    """(id, content_id, start_line, end_line, kind, symbol, scope, content)."""
    place = 0
    for number, one in enumerate(new):
        for chunk in one.parsed.chunks:
            yield (
                _CHUNK.pack(8, 8, place, 8, number, 4, chunk.start_line, 4, chunk.end_line)
                + binary.word(chunk.kind)
                + binary.text(chunk.symbol)
                + binary.word(chunk.scope)
                + binary.text(chunk.text)
            )
            place += 1


def _uses(symbols: Iterable[chunking.Symbol]) -> str:
    """JSON: kind of use → name → lines."""
    found: dict[str, dict[str, Sequence[int]]] = {}
    for symbol in symbols:
        if symbol.role == "reference":
            found.setdefault(symbol.kind, {})[symbol.name] = symbol.lines
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def _symbols(new: Sequence[_New]) -> Iterator[bytes]:
    """As `store.COLUMNS` has them: definitions alone."""
    for number, one in enumerate(new):
        for symbol in one.parsed.symbols:
            if symbol.role == "definition":
                yield (
                    _SYMBOL.pack(7, 8, number, 4, symbol.end_line)
                    + binary.text(symbol.name)
                    + binary.word(symbol.role)
                    + binary.word(symbol.kind)
                    + binary.word(symbol.scope)
                    + binary.integers((symbol.line,))
                )
