"""A small server that speaks OpenAI's protocol of embeddings, with faults on demand.

A text's vector is the sum of one fixed random vector for each of its words, so texts that share
words are alike, and the same text has the same vector in every run.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import numpy.typing as npt

Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[["Provider", dict[str, Any]], Answer | None]
"""What to answer in place of the vectors; None: the vectors."""


def vector(text: str, dimension: int) -> npt.NDArray[np.float32]:
    found = np.zeros(dimension, np.float32)
    for word in re.findall(r"[a-z]+|[0-9]+", text.lower()):
        chance = np.random.default_rng(zlib.crc32(word.encode()))
        found += chance.standard_normal(dimension, np.float32)
    return found


@dataclass(kw_only=True)
class Provider:
    """What the server does, and what it was asked."""

    dimension: int = 32
    faults: deque[Fault] = field(default_factory=deque)
    """One for each of the next requests."""
    always: Fault | None = None
    """For every request for which there is no other."""
    encoding: str = ""
    """How vectors are written whatever was asked for."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    url: str = ""
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def texts(self) -> list[str]:
        return [text for body in self.asked for text in body["input"]]

    def answer(self, body: dict[str, Any], key: str | None) -> Answer:
        with self._lock:
            self.asked.append(body)
            self.keys.append(key)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
            fault = self.faults.popleft() if self.faults else self.always
        try:
            return (fault and fault(self, body)) or self.vectors(body)
        finally:
            with self._lock:
                self._now -= 1

    def vectors(self, body: dict[str, Any]) -> Answer:
        dimension = body.get("dimensions", self.dimension)
        rows = [
            {
                "object": "embedding",
                "index": index,
                "embedding": self.written(text, dimension, body),
            }
            for index, text in enumerate(body["input"])
        ]
        return self.json({"object": "list", "model": body["model"], "data": rows})

    def written(self, text: str, dimension: int, body: dict[str, Any]) -> str | list[float]:
        numbers = vector(text, dimension)
        if (self.encoding or body.get("encoding_format")) == "base64":
            return base64.b64encode(numbers.astype("<f4").tobytes()).decode()
        return numbers.tolist()

    def json(self, value: Any) -> Answer:
        return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def status(code: int, **headers: str) -> Fault:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda *_: (code, told, b'{"error": {"message": "sk-canary is wrong"}}')


def raw(body: bytes) -> Fault:
    return lambda *_: (200, {"content-type": "application/json"}, body)


def changed(change: Callable[[list[dict[str, Any]]], Any]) -> Fault:
    """The right answer with other rows."""

    def fault(provider: Provider, body: dict[str, Any]) -> Answer:
        _, _, text = provider.vectors(body)
        return provider.json({"data": change(json.loads(text)["data"])})

    return fault


def shuffled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]


def refusing(longest: int) -> Fault:
    """As a model with a short window does."""

    def fault(provider: Provider, body: dict[str, Any]) -> Answer | None:
        fits = all(len(text) <= longest for text in body["input"])
        return None if fits else status(400)(provider, body)

    return fault


def until(event: threading.Event) -> Fault:
    """Answer when the event has come; a test that fails lets it come too."""

    def fault(*_: Any) -> None:
        event.wait(30)

    return fault


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that is killed is no error of ours."""


def handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer: Answer = (404, {}, b"{}")
            if self.path == "/v1/embeddings":
                answer = provider.answer(body, self.headers["authorization"])
            try:
                self.say(*answer)
            except OSError:
                self.close_connection = True

        def say(self, code: int, headers: dict[str, str], text: bytes) -> None:
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def serving() -> Iterator[Provider]:
    """The server, on a port of its own."""
    provider = Provider()
    with Server(("127.0.0.1", 0), handler(provider)) as server:
        provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
