"""An endpoint is asked as it wants to be, and believed only as far as its answer was checked."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from undercroft.codebase.embedding.endpoint import Endpoint, Patience
from undercroft.codebase.embedding.faults import ModelFault, Resting
from undercroft.offers import EmbeddingOffer

from .provider import Provider, changed, raw, refusing, serving, shuffled, status, until, vector

HASTY = Patience(attempts=3, timeout=20.0, first_pause=0.01, longest_pause=0.5)

Make = Callable[..., Endpoint]


@pytest.fixture
async def make(provider: Provider) -> AsyncIterator[Make]:
    made: list[Endpoint] = []

    def make(key: str = "", patience: Patience = HASTY, **settings: Any) -> Endpoint:
        settings = {"name": "tiny", "model": "tiny", "url": provider.url} | settings
        endpoint = Endpoint(EmbeddingOffer(**settings), key, for_code=patience, for_query=patience)
        made.append(endpoint)
        return endpoint

    yield make
    for endpoint in made:
        await endpoint.close()


def unit(text: str, dimension: int = 32) -> Any:
    found = vector(text, dimension)
    return found / np.linalg.norm(found)


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_each_text_has_its_unit_vector_in_order(
    provider: Provider, make: Make, encoding: str
) -> None:
    texts = [f"def number_{at}(): pass" for at in range(20)]
    provider.faults.append(changed(shuffled))
    found = await make(encoding=encoding).documents(texts)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [unit(text) for text in texts], atol=1e-6)
    assert provider.asked[0]["encoding_format"] == encoding


async def test_base64_is_understood_where_floats_were_asked_for(
    provider: Provider, make: Make
) -> None:
    provider.encoding = "base64"
    np.testing.assert_allclose((await make().documents(["a b"]))[0], unit("a b"), atol=1e-6)


@pytest.mark.parametrize("dimension", [384, 768, 1536, 4000])
async def test_any_dimension_up_to_4000_is_learnt(
    provider: Provider, make: Make, dimension: int
) -> None:
    provider.dimension = dimension
    endpoint = make()
    assert await endpoint.dimension() == dimension
    assert (await endpoint.query("where?")).shape == (dimension,)


async def test_4001_numbers_are_refused_and_the_error_says_what_to_do(
    provider: Provider, make: Make
) -> None:
    provider.dimension = 4001
    with pytest.raises(ModelFault, match="4001 numbers; at most 4000") as caught:
        await make().dimension()
    assert "shorten" in caught.value.hint
    shorter = make(dimension=4000, shorten=True)
    assert (await shorter.documents(["a"])).shape == (1, 4000)
    assert provider.asked[-1]["dimensions"] == 4000


async def test_a_dimension_other_than_the_set_one_is_refused(
    provider: Provider, make: Make
) -> None:
    with pytest.raises(ModelFault, match="32 numbers, where 384 are expected"):
        await make(dimension=384).query("where?")


async def test_a_dimension_that_changes_is_refused(provider: Provider, make: Make) -> None:
    endpoint = make()
    await endpoint.documents(["a"])
    provider.dimension = 48
    with pytest.raises(ModelFault, match="48 numbers, where 32 are expected"):
        await endpoint.documents(["b"])


ROW = {"index": 0, "embedding": [1.0, 2.0]}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"null",
        b"[]",
        b'{"data": null}',
        b'{"data": []}',
        b'{"data": [{"index": 0}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": "????"}]}',
        b'{"data": [{"index": 0, "embedding": "AAA="}]}',
        b'{"data": [{"index": 0, "embedding": ["1"]}]}',
        b'{"data": [{"index": 0, "embedding": [true]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0, null]}]}',
        b'{"data": [{"index": 0, "embedding": [NaN]}]}',
        b'{"data": [{"index": 0, "embedding": [1e999]}]}',
        b'{"data": [{"index": 1, "embedding": [1.0]}]}',
        b'{"data": [{"index": "0", "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": {"a": 1}}]}',
        b'{"data": [7]}',
    ],
)
async def test_garbage_is_no_vector(provider: Provider, make: Make, body: bytes) -> None:
    provider.always = raw(body)
    with pytest.raises(ModelFault, match="tiny answered"):
        await make().documents(["a"])


@pytest.mark.parametrize(
    "rows",
    [
        lambda rows: rows[:-1],
        lambda rows: [*rows, rows[0]],
        lambda rows: [rows[0], *rows[:-1]],
        lambda rows: [{**rows[0], "embedding": [1.0]}, *rows[1:]],
        lambda rows: [{**rows[0], "embedding": [float("nan")] * 32}, *rows[1:]],
    ],
)
async def test_every_text_has_exactly_one_vector_of_one_length(
    provider: Provider, make: Make, rows: Any
) -> None:
    provider.always = changed(rows)
    with pytest.raises(ModelFault, match="tiny answered"):
        await make().documents(["a", "b", "c"])


async def test_zeros_and_huge_numbers_stay_numbers(provider: Provider, make: Make) -> None:
    rows = [{"index": 0, "embedding": [0, 0]}, {"index": 1, "embedding": [1e300, 0]}]
    provider.faults.append(lambda *_: provider.json({"data": rows}))
    assert (await make().documents(["a", "b"])).tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(provider: Provider, make: Make, code: int) -> None:
    provider.faults.extend([status(code), status(code)])
    await make().documents(["a"])
    assert len(provider.asked) == 3


@pytest.mark.parametrize(("code", "reason"), [(401, "key"), (403, "key"), (404, "does not know")])
async def test_what_does_not_pass_is_not_tried_again(
    provider: Provider, make: Make, code: int, reason: str
) -> None:
    provider.always = status(code)
    with pytest.raises(ModelFault, match=reason) as caught:
        await make(key="sk-canary").documents(["a"])
    assert len(provider.asked) == 1
    assert "canary" not in f"{caught.value.as_dict()}{caught.value.__cause__}"


async def test_retry_after_is_waited_for(provider: Provider, make: Make) -> None:
    provider.faults.append(status(429, retry_after="0.3"))
    loop = asyncio.get_running_loop()
    began = loop.time()
    await make().documents(["a"])
    assert loop.time() - began >= 0.3
    assert len(provider.asked) == 2


async def test_who_wants_to_be_asked_much_later_is_left_alone_until_then(
    provider: Provider, make: Make
) -> None:
    provider.faults.append(status(429, retry_after="100"))
    endpoint = make()
    with pytest.raises(ModelFault, match="too many requests") as caught:
        await endpoint.documents(["a"])
    assert caught.value.pause == 100
    assert 90 < endpoint.breaker.rest <= 100
    with pytest.raises(Resting):
        await endpoint.query("where?")
    assert len(provider.asked) == 1


async def test_a_date_is_understood_as_a_time_to_come_back(provider: Provider, make: Make) -> None:
    provider.faults.append(status(503, retry_after="Wed, 21 Oct 2099 07:28:00 GMT"))
    with pytest.raises(ModelFault) as caught:
        await make().documents(["a"])
    assert (caught.value.pause or 0) > 10**9


async def test_who_does_not_answer_in_time_is_not_waited_for(
    provider: Provider, make: Make
) -> None:
    late = threading.Event()
    provider.always = until(late)
    try:
        with pytest.raises(ModelFault, match="does not answer") as caught:
            await make(timeout=0.05).documents(["a"])
        assert caught.value.passing
        assert len(provider.asked) == HASTY.attempts
        with pytest.raises(ModelFault, match="does not answer"):
            await make(patience=replace(HASTY, timeout=0.05)).query("where?")
    finally:
        late.set()


async def test_nobody_there_is_said_so(make: Make) -> None:
    with serving() as gone:
        url = gone.url
    with pytest.raises(ModelFault, match="tiny does not answer"):
        await make(url=url).query("where?")


async def test_a_redirection_is_not_followed_with_the_code_and_the_key(
    provider: Provider, make: Make
) -> None:
    with serving() as elsewhere:
        provider.always = status(307, location=f"{elsewhere.url}/embeddings")
        with pytest.raises(ModelFault, match="nobody has allowed"):
            await make(key="sk-canary").documents(["a"])
        assert not elsewhere.asked


async def test_the_key_goes_with_every_request(provider: Provider, make: Make) -> None:
    await make(key="sk-canary").query("a")
    await make().query("a")
    assert provider.keys == ["Bearer sk-canary", None]


async def test_known_and_set_words_stand_before_the_texts(provider: Provider, make: Make) -> None:
    known = make(model="nomic-embed-text:v1.5")
    await known.documents(["code"])
    await known.query("where?")
    chosen = make(model="nomic-embed-text", query_prefix="Q ", document_prefix="")
    await chosen.documents(["code"])
    await chosen.query("where?")
    assert provider.texts == ["search_document: code", "search_query: where?", "code", "Q where?"]


async def test_the_same_question_is_asked_once(provider: Provider, make: Make) -> None:
    endpoint = make()
    first = await endpoint.query("where?")
    assert (await endpoint.query("where?")).tolist() == first.tolist()
    assert len(provider.asked) == 1


async def test_no_more_requests_at_once_than_it_takes(provider: Provider, make: Make) -> None:
    together = threading.Barrier(3)

    def meet(*_: Any) -> None:
        together.wait(30)

    provider.always = meet
    endpoint = make(concurrency=3)
    await asyncio.gather(*(endpoint.documents([str(at)]) for at in range(9)))
    assert provider.most_at_once == 3


async def test_a_text_that_is_too_long_is_cut_until_it_is_taken(
    provider: Provider, make: Make
) -> None:
    provider.always = refusing(300)
    texts = ["short", "x " * 500, "also short"]
    found = await make().documents(texts)
    np.testing.assert_allclose(found[0], unit("short"), atol=1e-6)
    np.testing.assert_allclose(found[2], unit("also short"), atol=1e-6)
    np.testing.assert_allclose(found[1], unit("x"), atol=1e-6)
    assert max(len(text) for text in provider.texts) == 1000


async def test_no_more_of_a_text_is_sent_than_is_set(provider: Provider, make: Make) -> None:
    await make(longest=100).documents(["x" * 500])
    assert provider.texts == ["x" * 100]


async def test_a_text_that_is_never_taken_has_a_vector_of_zeros(
    provider: Provider, make: Make
) -> None:
    def picky(provider: Provider, body: dict[str, Any]) -> Any:
        bad = any("poison" in text for text in body["input"])
        return status(422)(provider, body) if bad else None

    provider.always = picky
    found = await make().documents(["one", "poison", "two"])
    assert not found[1].any()
    np.testing.assert_allclose(found[[0, 2]], [unit("one"), unit("two")], atol=1e-6)


async def test_a_model_that_refuses_everything_blames_no_text(
    provider: Provider, make: Make
) -> None:
    provider.always = status(400)
    with pytest.raises(ModelFault, match=re.escape("refuses what it is sent (400)")) as caught:
        await make().documents(["a", "b"])
    assert "`model`" in caught.value.hint


@pytest.mark.parametrize("code", [429, 503])
async def test_the_log_tells_of_no_code_and_no_key(
    provider: Provider, make: Make, code: int, capsys: pytest.CaptureFixture, caplog: Any
) -> None:
    provider.faults.extend([status(code), status(code)])
    provider.always = refusing(300)
    await make(key="sk-canary").documents(["def secret_recipe(): pass", "x " * 500])
    said = f"{capsys.readouterr()}{caplog.text}"
    assert "stamina.retry_scheduled" in said
    assert "secret_recipe" not in said
    assert "canary" not in said
