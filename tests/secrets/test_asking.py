"""A person is asked once for each asking: what came of an earlier one answers no later one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from undercroft.app import App
from undercroft.errors import Conflict
from undercroft.mcp.call import Caller
from undercroft.person import Question, Reply
from undercroft.secrets import pages as pages_module
from undercroft.secrets.asking import Asking
from undercroft.secrets.service import Secrets

from .browser import PATIENCE, fill_in, visit
from .safe import ASKED, Safe


class Someone:
    """A person whose client shows them each page, and says what they reply once they do."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.shown = asyncio.Event()
        self.reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def brings_reply(self, page: str) -> bool:
        return False

    async def show(self, url: str, why: str, page: str) -> Reply:
        self.urls.append(url)
        self.shown.set()
        return await asyncio.shield(self.reply)

    async def finished(self, page: str) -> None:
        """Nothing more to do."""

    async def page(self) -> str:
        """The address that they are shown next."""
        await asyncio.wait_for(self.shown.wait(), PATIENCE)
        self.shown.clear()
        return self.urls[-1]


class Returning(Someone):
    """A person whose client brings the reply with the same call once more."""

    def __init__(self, brings: str = "") -> None:
        super().__init__()
        self.brings = brings

    def brings_reply(self, page: str) -> bool:
        return page == self.brings

    async def show(self, url: str, why: str, page: str) -> Reply:
        if page != self.brings:
            self.urls.append(url)
            raise Question(url, why, page)
        return "accepted"


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    asking = Asking(PATIENCE)
    yield asking
    await asking.close()


@pytest.fixture
async def someone() -> Someone:
    return Someone()


@pytest.mark.parametrize("ending", ["stored", "declined", "expired"])
async def test_whoever_asks_after_the_end_asks_anew(
    asking: Asking, safe: Safe, someone: Someone, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    with monkeypatch.context() as short:
        if ending == "expired":
            short.setattr(pages_module, "LIFETIME", 0.05)
        assert await asking.ask(ASKED, safe.keep, someone, patience=0) == "waiting"
    first = await someone.page()
    if ending != "expired":
        await fill_in(first, "wrong", action="store" if ending == "stored" else "decline")
    await _until_over(first)

    again = asyncio.create_task(asking.ask(ASKED, safe.keep, someone))
    second = await someone.page()
    assert second != first
    assert (await fill_in(second, "right")).status == 200
    assert await again == "stored"
    assert safe.kept == (["wrong"] if ending == "stored" else []) + ["right"]


async def _until_over(url: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await visit(url)).status != 410:
            pass


async def test_of_two_calls_that_wait_each_is_told_and_one_page_is_shown(
    asking: Asking, safe: Safe, someone: Someone
) -> None:
    both = asyncio.gather(*(asking.ask(ASKED, safe.keep, someone) for _ in range(2)))
    await fill_in(await someone.page(), "v")
    assert await both == ["stored", "stored"]
    assert (len(someone.urls), safe.kept) == (1, ["v"])


@pytest.mark.parametrize("other", [{"kind": "jwt_secret"}, {"expires_days": 7}])
async def test_one_page_stands_for_one_kind_and_one_expiry(
    asking: Asking, safe: Safe, someone: Someone, other: dict[str, Any]
) -> None:
    assert await asking.ask(ASKED, safe.keep, someone, patience=0) == "waiting"
    with pytest.raises(Conflict, match="asked for STRIPE_KEY already"):
        await asking.ask(replace(ASKED, **other), safe.keep, someone, patience=0)
    # Once that page is over the other one may be asked for.
    await fill_in(await someone.page(), "", action="decline")
    changed = asyncio.create_task(asking.ask(replace(ASKED, **other), safe.keep, someone))
    await fill_in(await someone.page(), "v")
    assert await changed == "stored"


@pytest.mark.parametrize("action", ["store", "decline"])
async def test_the_same_call_once_more_is_told_how_it_ended(
    asking: Asking, safe: Safe, someone: Someone, action: str
) -> None:
    for _ in range(2):
        assert await asking.ask(ASKED, safe.keep, someone, key="k", patience=0) == "waiting"
    await fill_in(await someone.page(), "v", action=action)
    ended = "stored" if action == "store" else "declined"
    assert await asking.ask(ASKED, safe.keep, someone, key="k") == ended
    # Another call is another asking, and so is the same one after a refusal.
    for key in ("", "other", *([] if action == "store" else ["k"])):
        assert await asking.ask(ASKED, safe.keep, someone, key=key, patience=0) == "waiting"
        await fill_in(await someone.page(), "", action="decline")


async def test_whoever_brings_the_reply_is_told_how_it_ended(asking: Asking, safe: Safe) -> None:
    with pytest.raises(Question) as asked:
        await asking.ask(ASKED, safe.keep, Returning())
    await fill_in(asked.value.url, "v")
    assert await asking.ask(ASKED, safe.keep, Returning(asked.value.page)) == "stored"
    # A call of its own brings no reply.
    with pytest.raises(Question) as anew:
        await asking.ask(ASKED, safe.keep, Returning())
    assert anew.value.url != asked.value.url


@pytest.mark.parametrize("reply", ["cancelled", "declined", "unsupported"])
async def test_a_value_that_is_being_stored_outruns_the_clients_no(
    asking: Asking, safe: Safe, someone: Someone, reply: Reply
) -> None:
    safe.gate = asyncio.Event()
    call = asyncio.create_task(asking.ask(ASKED, safe.keep, someone))
    sent = asyncio.create_task(fill_in(await someone.page(), "v"))
    await safe.reached.wait()
    someone.reply.set_result(reply)
    # The reply has reached the server before the value is in the vault.
    asyncio.get_running_loop().call_later(0.05, safe.gate.set)
    assert await call == "stored"
    assert (await sent).status == 200
    assert safe.kept == ["v"]


async def test_the_clients_no_ends_a_page_that_waits(
    asking: Asking, safe: Safe, someone: Someone
) -> None:
    call = asyncio.create_task(asking.ask(ASKED, safe.keep, someone))
    url = await someone.page()
    someone.reply.set_result("cancelled")
    assert await call == "declined"
    assert (await fill_in(url, "late")).status == 410
    assert safe.kept == []


async def test_a_key_keeps_how_it_ended_and_not_that_a_person_is_waited_for(
    app: App, project: str, secrets: Secrets, someone: Someone
) -> None:
    async def call() -> dict[str, Any]:
        arguments = {"project": project, "name": "A", "idempotency_key": "k"}
        caller = Caller(actor="test", person=someone)
        return (await app.boundary.call("store_secret", arguments, caller)).body

    assert (await call())["waiting"] is True
    assert (await fill_in(await someone.page(), "first")).status == 200
    ended = await call()
    assert ended["version"] == 1
    await secrets.set("A", "second")
    assert await call() == ended
    assert len(someone.urls) == 1
