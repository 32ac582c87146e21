"""The text files inside what the registries hand out, read without unpacking to disk."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SMALLEST, LARGEST = 40, 200_000
"""Bytes of a file that is read; larger ones are generated or data."""

BENCHMARKS = re.compile(
    r"(?i)(^|[/_.-])(aiohttp|fastapi|express|gin|gin-gonic|cobra|gson|sinatra|ktor|cats|alamofire"
    r"|zod|phoenix|axum|vitest|abseil|absl|abseil-cpp|libuv|uv|bash[-_]?it)([/_.-]|$)"
)
"""Paths that may be a copy of a repository on which the search is measured: never learned from."""

UNWANTED = re.compile(
    r"(?i)(^|/)(node_modules|third[-_]?party|3rdparty|vendor|vendored|_vendor|_vendored|external"
    r"|deps|debian|\.pc|src/test/ui|fixtures|testdata|locales?|i18n|zoneinfo|minified)(/|$)"
    r"|\.min\.|[._-]pb2?\.|_pb2|\.generated\.|\.bundle\.|\.pb\.|zz_generated"
)
"""Copies of others, generated files and data."""

COPYLEFT = re.compile(
    r"GNU (?:Lesser |Library |Affero )?General Public|[AL]?GPL[- v]|Mozilla Public|Eclipse Public"
    r"|CC[- ]BY|Creative Commons"
)
"""A file under other terms than its package's."""


def texts(archive: Path) -> Iterator[tuple[str, str]]:
    """Path (without the folder that wraps all) and text of each file worth learning from."""
    for path, data in _members(archive):
        text = data.decode("utf-8", "replace")
        if "\0" not in text and not COPYLEFT.search(text[:4_000]):
            yield path, text


def wanted(path: str, size: int, suffixes: frozenset[str]) -> bool:
    """Whether a file is of a known language, of a sane size and nobody else's."""
    if not SMALLEST < size <= LARGEST or UNWANTED.search(path) or BENCHMARKS.search(path):
        return False
    return Path(path).suffix.lower() in suffixes


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    from training.languages import SUFFIXES  # noqa: PLC0415 - the tables are wanted here only

    known = frozenset(SUFFIXES)
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                if wanted(entry.filename, entry.file_size, known):
                    yield entry.filename, opened.read(entry)
        return
    with tarfile.open(archive, "r|*") as stream:
        for member in stream:
            path = member.name.removeprefix("./").partition("/")[2]
            if member.isfile() and wanted(path, member.size, known):
                content = stream.extractfile(member)
                if content is not None:
                    yield path, content.read()
