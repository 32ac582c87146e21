"""A browser, as far as a form needs one, and whoever pretends to be one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

FORM = "application/x-www-form-urlencoded"
PATIENCE = 20.0
"""Seconds that a test waits for what must happen; never slept through."""


@dataclass(frozen=True)
class Answer:
    """What a server said before it closed the connection."""

    status: int
    headers: dict[str, str]
    text: str


async def say(port: int, *pieces: bytes) -> Answer:
    """Send bytes and read to the end; no answer at all has status 0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(PATIENCE):
            raw = await reader.read()
    except ConnectionError:
        raw = b""
    finally:
        writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    return Answer(int(first.split()[1]) if first else 0, headers, body.decode())


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


async def visit(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> Answer:
    """A request as a browser sends it; a header of None's name `origin=""` is left out."""
    parts = urlsplit(url)
    own = {"Host": parts.netloc, "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
    if method == "POST":
        own |= {"Origin": f"http://{parts.netloc}", "Content-Type": FORM}
        own |= {"Content-Length": str(len(body)), "Sec-Fetch-Site": "same-origin"}
    own |= {name.replace("_", "-").title(): value for name, value in headers.items()}
    lines = [f"{method} {parts.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in own.items() if value]
    return await say(port_of(url), "\r\n".join([*lines, "", ""]).encode() + body)


async def fill_in(url: str, value: str, action: str = "store", **headers: str) -> Answer:
    """Send the form."""
    body = urlencode({"value": value, "action": action}).encode()
    return await visit(url, "POST", body, **headers)
