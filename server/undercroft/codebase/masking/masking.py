"""Secrets replaced: where they are looked for, and what stands in their place.

Four looks, each with a cheap search first: private key blocks; long words that begin like a known
service's token; passwords inside addresses; and values assigned to names such as `password`.
All of them run on the text as ASCII bytes (any other character is one "?"), so that searching is
fast and positions are those of the text. No expression has an unbounded quantifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from undercroft.codebase.masking.assignments import assigned
from undercroft.codebase.masking.doubt import plausible_in_address, varied
from undercroft.codebase.masking.tokens import token_at

_SHORTEST = 20
"""Characters of the shortest token that is known by its shape."""

_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-."
_IN_WORDS = bytes(0x61 if code in _WORD else 0x20 for code in range(256))
_LONG_WORD = b"a" * _SHORTEST

_MARK = "\u2039masked:{}\u203a"
_BEGIN = b"-----BEGIN "
_BLOCK = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"(?P<body>[^-]{64,20000}(?:-[^-]{1,200}){0,20})(?:-----END |\Z)"
)
_BODY = re.compile(rb"[A-Za-z0-9+/=]{4,20000}")

_ADDRESS = re.compile(
    rb"://[^\s:/@\"'`<>{}\\]{0,80}:(?P<password>[^\s/\"'`<>\\]{1,200})@(?=[\w\[$%{<.-])"
)
_LOGIN = re.compile(
    rb"(?:(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}:|sshpass -p[ ]?[\"']?)"
    rb"(?P<password>[^\s\"']{4,100})"
)


class Masked(NamedTuple):
    """A text without the secrets that were seen in it, as many lines as before."""

    text: str
    found: int
    """Secrets replaced; a key block is one."""


class Secret(NamedTuple):
    """A place in a text."""

    begin: int
    end: int
    kind: str


def mask(text: str) -> Masked:
    """The text with each secret replaced by its kind, padded to the secret's length."""
    data = text.encode("ascii", "replace")
    secrets = [*_addresses(data), *map(Secret._make, assigned(data)), *_tokens(data)]
    found = len(secrets)
    for pieces in _key_blocks(data):
        secrets += pieces
        found += 1
    if not secrets:
        return Masked(text, 0)
    kept = list(_apart(secrets))
    return Masked(_replaced(text, kept), min(found, len(kept)))


def _apart(secrets: list[Secret]) -> Iterator[Secret]:
    """In order, without those that begin inside another; the one named most exactly first."""
    end = 0
    for secret in sorted(secrets, key=lambda secret: (secret.begin, -secret.end)):
        if secret.begin >= end:
            yield secret
            end = secret.end


def _replaced(text: str, secrets: list[Secret]) -> str:
    pieces = []
    at = 0
    for begin, end, kind in secrets:
        pieces += [text[at:begin], _MARK.format(kind).ljust(end - begin)]
        at = end
    return "".join([*pieces, text[at:]])


def _places(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + len(needle))


def _key_blocks(data: bytes) -> Iterator[list[Secret]]:
    """The body of each private key, piece by piece: quotes and line ends around them stay."""
    for at in _places(data, _BEGIN):
        block = _BLOCK.match(data, at)
        if block and varied(block["body"]):
            pieces = _BODY.finditer(data, block.start("body"), block.end("body"))
            yield [Secret(piece.start(), piece.end(), "private-key") for piece in pieces]


def _tokens(data: bytes) -> Iterator[Secret]:
    """Long words that look like some service's token."""
    words = data.translate(_IN_WORDS)
    begin = words.find(_LONG_WORD)
    while begin >= 0:
        end = words.find(b" ", begin)
        end = len(words) if end < 0 else end
        token = token_at(data, begin, end)
        if token:
            yield Secret._make(token)
        begin = words.find(_LONG_WORD, end)


def _addresses(data: bytes) -> Iterator[Secret]:
    """Passwords in connection strings, and on command lines."""
    if b"://" in data and b"@" in data:
        for at in _places(data, b"://"):
            yield from _password(_ADDRESS.match(data, at))
    for needle in (b"-u ", b"--user", b"sshpass"):
        for at in _places(data, needle):
            yield from _password(_LOGIN.match(data, at))


def _password(found: re.Match[bytes] | None) -> Iterator[Secret]:
    if found and plausible_in_address(found["password"]):
        yield Secret(*found.span("password"), "password")
