"""As much of HTTP as one form needs: one request a connection, bounded in size and in time.

Strict on purpose. Whatever a browser does not send for a form is refused, so that nothing has to
be understood that is never needed: no chunks, no second request, no header twice.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus

MAX_HEAD = 16 * 1024
"""Bytes of a request's line and headers."""

MAX_BODY = 256 * 1024
"""Bytes of a form: 64 KiB of a value, each byte of which may be written as %XX."""
MAX_DISCARDED = 4 * 1024 * 1024
"""A form that is too large is read all the same up to so many bytes."""

_SINGLE = frozenset({"host", "origin", "content-length", "content-type"})


class Refused(Exception):
    """What came is no request that this server takes; holds the status that answers it."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, read whole."""

    method: str
    path: str = field(repr=False)
    """Holds a token: never to be logged."""
    headers: dict[str, str] = field(repr=False)
    """By their names in lower case."""
    body: bytes = field(default=b"", repr=False)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """The request of a connection.

    Raises:
        Refused: It is malformed or too large.
        asyncio.IncompleteReadError: The other side has gone.

    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from None
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, path = _asked(first)
    headers = _headers(lines)
    size = _size(headers)
    if size > MAX_BODY:
        # A browser shows the answer only to a form that it could send to its end.
        left = size if size <= MAX_DISCARDED else 0
        while left > 0 and (piece := await reader.read(MAX_HEAD)):
            left -= len(piece)
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    body = await reader.readexactly(size) if size else b""
    return Request(method=method, path=path, headers=headers, body=body)


def _asked(line: str) -> tuple[str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):  # noqa: PLR2004 - method, path, version
        raise Refused(HTTPStatus.BAD_REQUEST)
    return parts[0], parts[1]


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        # A name with a space is a folded line or a trick; two hosts are a trick.
        if not colon or not name or name != name.strip() or (name in _SINGLE and name in headers):
            raise Refused(HTTPStatus.BAD_REQUEST)
        headers[name] = value.strip()
    return headers


def _size(headers: dict[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Refused(HTTPStatus.LENGTH_REQUIRED)
    given = headers.get("content-length", "0")
    if not (given.isascii() and given.isdigit()):
        raise Refused(HTTPStatus.BAD_REQUEST)
    # So many digits are too much already, and more would cost time.
    return int(given[:9])


def response(status: HTTPStatus, page: str, headers: dict[str, str]) -> bytes:
    """The bytes of an answer with a page of HTML, after which the connection ends."""
    body = page.encode()
    lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += ["Content-Type: text/html; charset=utf-8", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body
