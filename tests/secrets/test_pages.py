"""A one-time page takes one value from whoever has its address, and nothing from anybody else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator

import pytest

from undercroft.errors import InvalidInput, LimitReached
from undercroft.secrets import pages as pages_module
from undercroft.secrets.page_forms import Inquiry
from undercroft.secrets.page_http import MAX_BODY, MAX_HEAD
from undercroft.secrets.pages import DEADLINE, LIFETIME, MAX_CONNECTIONS, MAX_OPEN, Page, Pages

from .browser import fill_in, port_of, say, visit

ASKED = Inquiry(name="STRIPE_KEY", project="shop", asker="claude-code", note="for the tests")


class Safe:
    """Where values go."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.reached = asyncio.Event()

    async def keep(self, value: str) -> None:
        self.reached.set()
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        self.kept.append(value)


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    pages = Pages()
    yield pages
    await pages.close()


@pytest.fixture
def safe() -> Safe:
    return Safe()


@pytest.fixture
async def page(pages: Pages, safe: Safe) -> Page:
    return await pages.open(ASKED, safe.keep)


async def test_a_person_reads_who_asks_and_gives_the_value_once(page: Page, safe: Safe) -> None:
    shown = await visit(page.url)
    assert shown.status == 200
    for fact in ("STRIPE_KEY", "shop", "claude-code", "for the tests"):
        assert fact in shown.text
    done = await fill_in(page.url, "sk_live_é 1%&=+")
    assert done.status == 200
    assert "stored" in done.text
    assert safe.kept == ["sk_live_é 1%&=+"]
    assert page.ending == "stored"
    assert (await visit(page.url)).status == 410
    assert (await fill_in(page.url, "another")).status == 410
    assert safe.kept == ["sk_live_é 1%&=+"]


async def test_a_private_key_keeps_its_lines(page: Page, safe: Safe) -> None:
    await fill_in(page.url, "-----BEGIN-----\r\nabc\r\n-----END-----\r\n")
    assert safe.kept == ["-----BEGIN-----\nabc\n-----END-----"]


async def test_looking_uses_nothing_up(page: Page, safe: Safe) -> None:
    for _ in range(3):
        assert (await visit(page.url)).status == 200
    assert page.ending is None
    assert safe.kept == []


async def test_who_declines_stores_nothing(page: Page, safe: Safe) -> None:
    assert (await fill_in(page.url, "typed all the same", action="decline")).status == 200
    assert page.ending == "declined"
    assert (await fill_in(page.url, "x")).status == 410
    assert safe.kept == []


async def test_of_two_forms_sent_at_once_one_is_stored(page: Page, safe: Safe) -> None:
    safe.gate = asyncio.Event()
    first = asyncio.create_task(fill_in(page.url, "first"))
    await safe.reached.wait()
    second = asyncio.create_task(fill_in(page.url, "second"))
    third = asyncio.create_task(fill_in(page.url, "", action="decline"))
    # The page is asked while the first value is on its way: it is open, and busy.
    assert (await visit(page.url)).status == 200
    safe.gate.set()
    answers = await asyncio.gather(first, second, third)
    assert sorted(answer.status for answer in answers) == [200, 410, 410]
    assert safe.kept == ["first"]
    assert page.ending == "stored"


async def test_a_value_that_does_not_fit_may_be_corrected(page: Page, safe: Safe) -> None:
    safe.error = InvalidInput("The value does not look like a <jwt>.")
    wrong = await fill_in(page.url, "nonsense-value")
    assert wrong.status == 422
    assert "does not look like a &lt;jwt&gt;" in wrong.text
    assert "nonsense-value" not in wrong.text
    assert (await fill_in(page.url, "")).status == 422
    safe.error = None
    assert (await fill_in(page.url, "right")).status == 200
    assert safe.kept == ["right"]


async def test_a_failure_of_ours_tells_no_value(
    page: Page, safe: Safe, capsys: pytest.CaptureFixture[str]
) -> None:
    safe.error = RuntimeError("canary-in-error")
    failed = await fill_in(page.url, "canary-value")
    assert failed.status == 422
    said = failed.text + "".join(capsys.readouterr())
    assert "RuntimeError" in said
    assert "canary" not in said
    assert page.url.rpartition("/")[2] not in said


async def test_the_page_loads_nothing_and_is_kept_nowhere(page: Page) -> None:
    shown = await visit(page.url)
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["x-frame-options"] == "DENY"
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    style = re.findall(r"<style>(.*?)</style>", shown.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"<script|src=|href=|url\(|@import", shown.text)
    # The field stands alone: what is typed is masked, and checked by no spelling service.
    assert 'spellcheck="false"' in shown.text
    assert 'method="post"' in shown.text


async def test_what_the_asker_says_is_text(pages: Pages, safe: Safe) -> None:
    asked = Inquiry(name="A", project="p", asker="<script>x</script>", note='"><img src=x>')
    shown = await visit((await pages.open(asked, safe.keep)).url)
    assert "<script>" not in shown.text
    assert "<img" not in shown.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "localhost:1"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_dest": "iframe"}, 403),
        ({"sec_fetch_dest": "empty"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
    ],
)
async def test_a_form_from_elsewhere_is_refused(
    page: Page, safe: Safe, headers: dict[str, str], status: int
) -> None:
    assert (await fill_in(page.url, "forged", **headers)).status == status
    assert safe.kept == []
    assert page.ending is None


async def test_a_link_from_elsewhere_may_lead_to_the_page_but_no_frame(page: Page) -> None:
    assert (await visit(page.url, sec_fetch_site="cross-site")).status == 200
    assert (await visit(page.url, sec_fetch_dest="iframe")).status == 403
    assert (await visit(page.url, host="rebound.example")).status == 421


async def test_a_browser_without_those_headers_works(page: Page, safe: Safe) -> None:
    shown = await visit(page.url, origin="", sec_fetch_site="", sec_fetch_dest="")
    assert shown.status == 200
    done = await fill_in(page.url, "v", origin="", sec_fetch_site="", sec_fetch_dest="")
    assert done.status == 200
    assert safe.kept == ["v"]


async def test_no_other_address_leads_anywhere(page: Page, safe: Safe) -> None:
    base, _, token = page.url.rpartition("/")
    assert len(token) >= 43  # 256 bits in base64
    wrong = [token[:-1], token + "A", token.swapcase(), "", "favicon.ico", "%00", "a" * 5000, "é"]
    for one in wrong:
        answer = await visit(f"{base}/{one}")
        assert (answer.status, token in answer.text) == (404, False)
        assert (await fill_in(f"{base}/{one}", "x")).status == 404
    assert safe.kept == []


async def test_each_page_takes_only_its_own(pages: Pages, safe: Safe, page: Page) -> None:
    other = Safe()
    second = await pages.open(Inquiry(name="B", project="p", asker="a"), other.keep)
    assert second.url != page.url
    await fill_in(second.url, "for B")
    assert (safe.kept, other.kept) == ([], ["for B"])
    assert (await visit(page.url)).status == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /TOKEN HTTP/2.0\r\nHost: HOST\r\n\r\n", 400),
        (b"GET  /TOKEN HTTP/1.1\r\nHost: HOST\r\n\r\n", 400),
        (b"GET /TOKEN HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\n\r\n", 400),
        (b"GET /TOKEN HTTP/1.1\r\nHost : HOST\r\n\r\n", 400),
        (b"GET /TOKEN HTTP/1.1\r\nHost: HOST\r\n folded: x\r\n\r\n", 400),
        (b"PUT /TOKEN HTTP/1.1\r\nHost: HOST\r\n\r\n", 405),
        (b"POST /TOKEN HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST /TOKEN HTTP/1.1\r\nHost: HOST\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /TOKEN HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1_0\r\n\r\n", 400),
        (b"POST /TOKEN HTTP/1.1\r\nHost: HOST\r\nContent-Length: 99999999\r\n\r\n", 413),
        (
            b"POST /TOKEN HTTP/1.1\r\nHost: HOST\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            413,
        ),
        (b"GET /TOKEN HTTP/1.1\r\nHost: HOST\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_of_a_browser_is_refused(
    page: Page, safe: Safe, request_: bytes, status: int
) -> None:
    host, _, token = page.url.removeprefix("http://").partition("/")
    raw = request_.replace(b"TOKEN", token.encode()).replace(b"HOST", host.encode())
    assert (await say(port_of(page.url), raw)).status == status
    assert safe.kept == []
    assert (await visit(page.url)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"value",
        b"value=%ff&action=store",
        b"value=x",
        b"action=other&value=x",
        b"\xff=1",
        b"a=1&b=2&c=3&d=4&e=5",
    ],
)
async def test_a_form_that_is_not_ours_stores_nothing(page: Page, safe: Safe, body: bytes) -> None:
    assert (await visit(page.url, "POST", body)).status in (400, 422)
    assert safe.kept == []
    assert page.ending is None


async def test_the_longest_value_fits_and_more_does_not(page: Page, safe: Safe) -> None:
    assert (await fill_in(page.url, "é" * (MAX_BODY // 4))).status == 413
    assert (await fill_in(page.url, "\x01" * (64 * 1024))).status == 200
    assert len(safe.kept[0]) == 64 * 1024


async def test_who_sends_nothing_is_shown_the_door(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "DEADLINE", 0.05)
    for begun in (b"", b"GET /", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1"):
        assert (await say(port_of(page.url), begun)).status == 0
    monkeypatch.setattr(pages_module, "DEADLINE", DEADLINE)
    assert (await visit(page.url)).status == 200


async def test_idle_connections_are_bounded_and_their_end_makes_room(page: Page) -> None:
    idle = [
        await asyncio.open_connection("127.0.0.1", port_of(page.url))
        for _ in range(MAX_CONNECTIONS)
    ]
    for _, writer in idle:
        writer.write(b"GET")
        await writer.drain()
    assert (await visit(page.url)).status == 0
    for _, writer in idle:
        writer.close()
    async with asyncio.timeout(20):
        while (await visit(page.url)).status == 0:
            pass
    assert (await visit(page.url)).status == 200


async def test_a_page_ends_by_itself(
    pages: Pages, safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LIFETIME == 600
    monkeypatch.setattr(pages_module, "LIFETIME", 0.01)
    page = await pages.open(ASKED, safe.keep)
    assert await asyncio.wait_for(page.ended, 20) == "expired"
    assert (await fill_in(page.url, "late")).status == 410
    assert safe.kept == []


async def test_who_has_sent_the_value_in_time_is_not_told_that_it_is_over(
    pages: Pages, safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "LIFETIME", 0.3)
    safe.gate = asyncio.Event()
    page = await pages.open(ASKED, safe.keep)
    sent = asyncio.create_task(fill_in(page.url, "in time"))
    await safe.reached.wait()
    # Past the page's own time, by the loop's clock.
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.35, over.set_result, None)
    await over
    safe.gate.set()
    assert (await sent).status == 200
    assert page.ending == "stored"


async def test_the_server_goes_with_its_last_page(
    pages: Pages, safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "LINGER", 0.01)
    page = await pages.open(ASKED, safe.keep)
    await fill_in(page.url, "v")
    with pytest.raises(ConnectionRefusedError):
        await _visit_until_gone(page.url)
    again = await pages.open(ASKED, safe.keep)
    assert (await visit(again.url)).status == 200


async def _visit_until_gone(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            await visit(url)


async def test_the_end_of_the_server_ends_its_pages(page: Page, pages: Pages) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(page.url))
    writer.write(b"GET")
    await writer.drain()
    await pages.close()
    assert page.ending == "closed"
    with pytest.raises(ConnectionError):
        await visit(page.url)
    with pytest.raises(ConnectionError):
        assert await reader.read() or _lost()
    writer.close()


def _lost() -> bool:
    raise ConnectionError


async def test_so_many_pages_and_no_more(pages: Pages, safe: Safe) -> None:
    opened = [await pages.open(ASKED, safe.keep) for _ in range(MAX_OPEN)]
    assert len({page.url for page in opened}) == MAX_OPEN
    with pytest.raises(LimitReached):
        await pages.open(ASKED, safe.keep)
    opened[0].end("declined")
    await pages.open(ASKED, safe.keep)


async def test_only_loopback_listens(page: Page, pages: Pages) -> None:
    assert page.url.startswith("http://127.0.0.1:")
    server = pages._server
    assert [one.getsockname()[0] for one in server.sockets] == ["127.0.0.1"]
