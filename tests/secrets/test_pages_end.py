"""How a page ends, and its server with it: nobody who has sent a value is left in doubt."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from undercroft.secrets import pages as pages_module
from undercroft.secrets.pages import LIFETIME, Page, Pages

from .browser import fill_in, port_of, visit
from .safe import ASKED, Safe


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
            # Whoever comes at the very moment of its end is reset, and the next one refused.
            with suppress(ConnectionResetError):
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


async def test_a_value_on_its_way_is_stored_and_its_person_told_before_the_end(
    page: Page, pages: Pages, safe: Safe
) -> None:
    safe.gate = asyncio.Event()
    sent = asyncio.create_task(fill_in(page.url, "v"))
    await safe.reached.wait()
    closing = asyncio.create_task(pages.close())
    # Behind the close in the loop's order: it is closing when the value gets through.
    asyncio.get_running_loop().call_soon(safe.gate.set)
    await closing
    assert (page.ending, safe.kept) == ("stored", ["v"])
    assert (await sent).status == 200


async def test_a_value_that_cannot_be_stored_in_time_is_not_stored_after_the_end(
    page: Page, pages: Pages, safe: Safe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_module, "GRACE", 0.05)
    safe.gate = asyncio.Event()
    sent = asyncio.create_task(fill_in(page.url, "v"))
    await safe.reached.wait()
    async with asyncio.timeout(20):
        await pages.close()
    assert page.ending == "closed"
    safe.gate.set()
    assert (await sent).status == 0
    assert safe.kept == []


async def test_a_page_that_is_opened_as_the_server_is_about_to_stop_keeps_it(
    page: Page, pages: Pages, safe: Safe
) -> None:
    page.end("declined")
    pages._begin_to_stop()
    again = await pages.open(ASKED, safe.keep)
    assert pages._stopping is not None
    await pages._stopping
    assert (await fill_in(again.url, "v")).status == 200
    assert safe.kept == ["v"]
