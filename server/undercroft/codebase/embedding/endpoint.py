"""A model behind an HTTP endpoint that speaks OpenAI's protocol: `POST …/embeddings`."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import structlog

from undercroft.codebase.embedding import answers
from undercroft.codebase.embedding.breaker import Breaker
from undercroft.codebase.embedding.faults import ModelFault, TextsRefused
from undercroft.codebase.embedding.model import Floats, checked_dimension, identity_of, unit
from undercroft.codebase.embedding.prefixes import prefixes_of

if TYPE_CHECKING:
    import httpx2

    from undercroft.offers import EmbeddingOffer

log = structlog.get_logger("undercroft.codebase")

PROBE = "def probe(): pass"
"""A text that no model refuses; it tells a model's dimension, and whether a text was to blame."""

SHORTEST = 200
"""Characters of a text that is not cut any further when it is refused."""

MAX_ANSWER = 256 << 20
"""Bytes of an answer; the largest honest one, 2,048 vectors of 4,000 numbers, has 180 MB."""

KEPT_QUERIES = 256
"""Vectors of questions that are kept: the pages of one search ask for the same one."""


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How often something is tried, and how long all tries together may take, in seconds."""

    attempts: int
    timeout: float
    first_pause: float = 0.5
    longest_pause: float = 20.0
    """A wish to be asked later than that is not waited for here."""


FOR_CODE = Patience(attempts=4, timeout=600.0)
FOR_QUERY = Patience(attempts=2, timeout=5.0, first_pause=0.1, longest_pause=1.0)
"""A question without its vector is still answered by words, so it does not wait for long."""


class Endpoint:
    """One model of an endpoint."""

    here = False

    def __init__(
        self,
        offer: EmbeddingOffer,
        key: str = "",
        *,
        for_code: Patience | None = None,
        for_query: Patience | None = None,
    ) -> None:
        self.name = offer.name
        self.batch = offer.batch
        self.concurrency = offer.concurrency
        self.breaker = Breaker(offer.name)
        self._offer = offer
        self._key = key
        self._for_code = for_code or FOR_CODE
        self._for_query = for_query or FOR_QUERY
        self._prefixes = prefixes_of(offer)
        self._dimension = offer.dimension
        self._asked: OrderedDict[str, Floats] = OrderedDict()
        self._turns = asyncio.Semaphore(offer.concurrency)
        self._client: httpx2.AsyncClient | None = None

    async def identity(self) -> str:
        """See `Model`."""
        return identity_of(self._offer)

    async def dimension(self) -> int:
        """See `Model`."""
        if not self._dimension:
            await self._vectors([PROBE], self._for_query)
        return self._dimension

    async def documents(self, texts: Sequence[str]) -> Floats:
        """See `Model`; what the model refuses even when it is cut short has a vector of zeros."""
        prefix, longest = self._prefixes.document, self._offer.longest
        return await self._encoded([f"{prefix}{text}"[:longest] for text in texts])

    async def query(self, text: str) -> Floats:
        """See `Model`."""
        if text not in self._asked:
            readable = text.encode("utf-8", "replace").decode()
            wanted = f"{self._prefixes.query}{readable}"[: self._offer.longest]
            self._asked[text] = (await self._vectors([wanted], self._for_query))[0]
            if len(self._asked) > KEPT_QUERIES:
                self._asked.popitem(last=False)
        self._asked.move_to_end(text)
        return self._asked[text]

    async def close(self) -> None:
        """Close what is open to the endpoint."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _encoded(self, texts: Sequence[str]) -> Floats:
        """Halves tell which text is refused; that one is cut shorter until it is taken."""
        try:
            async with self._turns:
                return await self._vectors(texts, self._for_code)
        except TextsRefused:
            if len(texts) > 1:
                middle = len(texts) // 2
                halves = [await self._encoded(half) for half in (texts[:middle], texts[middle:])]
                return np.concatenate(halves)
            if len(texts[0]) > SHORTEST:
                return await self._encoded([texts[0][: max(SHORTEST, len(texts[0]) // 2)]])
        await self._check_blame()
        log.warning("text_not_embedded", model=self.name)
        return np.zeros((1, self._dimension), np.float32)

    async def _check_blame(self) -> None:
        """Raise if the endpoint refuses everything: then no text is to blame."""
        try:
            async with self._turns:
                await self._vectors([PROBE], self._for_code)
        except TextsRefused as refusal:
            raise ModelFault(refusal.message, hint="Look at its `model` and `dimension`.") from None

    async def _vectors(self, texts: Sequence[str], patience: Patience) -> Floats:
        """Tried as often as the patience allows, which counts as one attempt for the breaker."""
        with self.breaker.attempt():
            try:
                async with asyncio.timeout(patience.timeout):
                    return await self._tried(texts, patience)
            except TimeoutError:
                raise _silent(self.name) from None

    async def _tried(self, texts: Sequence[str], patience: Patience) -> Floats:
        import stamina  # noqa: PLC0415 - 70 ms that no other model needs

        def again(error: Exception) -> bool | float:
            if not isinstance(error, ModelFault) or not error.passing:
                return False
            if error.pause is None:
                return True
            # Not all who were sent away come back at the same moment.
            spread = patience.first_pause * random.random()  # noqa: S311 - a pause is no secret
            return error.pause + spread if error.pause <= patience.longest_pause else False

        # A block, not a call: stamina logs the arguments of what it calls, which are code.
        async for attempt in stamina.retry_context(
            on=again,
            attempts=patience.attempts,
            timeout=patience.timeout,
            wait_initial=patience.first_pause,
            wait_max=patience.longest_pause,
            wait_jitter=patience.first_pause,
        ):
            with attempt:
                found = await self._once(texts)
        return found

    async def _once(self, texts: Sequence[str]) -> Floats:
        body = await self._post(texts)
        found = await asyncio.to_thread(answers.vectors, self.name, body, len(texts))
        self._dimension = checked_dimension(self._offer, found.shape[1], self._dimension)
        return unit(found)

    async def _post(self, texts: Sequence[str]) -> bytes:
        import httpx2  # noqa: PLC0415 - 150 ms that no other model needs

        asked: dict[str, Any] = {"model": self._offer.model, "input": list(texts)}
        asked["encoding_format"] = self._offer.encoding
        if self._offer.shorten:
            asked["dimensions"] = self._offer.dimension
        self._client = self._client or _client(self._offer, self._key)
        try:
            async with self._client.stream("POST", "embeddings", json=asked) as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise answers.fault_of(self.name, answer.status_code, answer.headers)
                return await _body(self.name, answer)
        except httpx2.HTTPError:
            raise _silent(self.name) from None


def _client(offer: EmbeddingOffer, key: str) -> httpx2.AsyncClient:
    """A client that never goes where it is sent on to: only this address was allowed."""
    import httpx2  # noqa: PLC0415 - as above

    return httpx2.AsyncClient(
        base_url=f"{offer.url}/",
        headers={"authorization": f"Bearer {key}"} if key else {},
        timeout=offer.timeout,
        follow_redirects=False,
        # A proxy of the environment is for the world outside.
        trust_env=not _is_loopback(offer.url),
    )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _body(name: str, answer: httpx2.Response) -> bytes:
    found = bytearray()
    async for piece in answer.aiter_bytes():
        found += piece
        if len(found) > MAX_ANSWER:
            raise ModelFault(f"The embedding model {name} answered more than it was asked for.")
    return bytes(found)


def _silent(name: str) -> ModelFault:
    return ModelFault(
        f"The embedding model {name} does not answer.",
        hint="See that it runs; `undercroft doctor` asks it.",
        passing=True,
    )
