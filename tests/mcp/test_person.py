"""A person gives a secret on a page that their client shows them; the conversation sees nothing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import ElicitRequestURLParams, ElicitResult

from undercroft.app import App
from undercroft.mcp.call import Caller
from undercroft.settings import Settings

from .conftest import PATIENCE, Spawn, environment

CANARY = "sk_live_" + "canary" * 5
ERAS = ["legacy", "2026-07-28"]


def send(url: str, value: str, action: str = "store") -> int:
    body = urlencode({"value": value, "action": action}).encode()
    try:
        with urlopen(Request(url, body), timeout=PATIENCE) as answer:  # noqa: S310 - our own address
            status: int = answer.status
            return status
    except HTTPError as refused:
        with refused:
            return refused.code


class Browser:
    """The person, with a browser: what their client asks them, and what they do."""

    def __init__(self, action: Literal["accept", "decline", "cancel"] = "accept") -> None:
        self.asked: list[ElicitRequestURLParams] = []
        self.action = action
        self.types: str | None = CANARY
        """What they enter before they answer the client; None: they take their time."""
        self.shown = asyncio.Event()
        self.told: list[Any] = []

    async def __call__(self, _context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        self.asked.append(params)
        self.shown.set()
        if self.action == "accept" and self.types is not None:
            assert await asyncio.to_thread(send, params.url, self.types) == 200
        return ElicitResult(action=self.action)

    async def hear(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/elicitation/complete":
            self.told.append(message.params.elicitation_id)


Connect = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
def attend(settings: Settings, tmp_path: Path, project: str) -> Connect:
    """A client over stdio whose person is before a browser."""

    @asynccontextmanager
    async def attend(browser: Any, mode: Any = "legacy", **env: str) -> AsyncIterator[Client]:
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "undercroft", "--project", project],
            env=environment(settings, **env),
            cwd=tmp_path,
        )
        log = tmp_path / "server.log"
        with log.open("a") as stderr:
            from mcp.client.stdio import stdio_client

            transport = stdio_client(parameters, errlog=stderr)
            async with Client(
                transport,
                mode=mode,
                elicitation_callback=browser,
                message_handler=browser.hear if browser else None,
            ) as client:
                yield client

    return attend


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    body = result.structured_content
    assert body is not None
    assert CANARY not in str(result)
    return body


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_gives_a_secret_and_the_agent_gets_its_name(
    attend: Connect, app: App, project: str, tmp_path: Path, mode: str
) -> None:
    browser = Browser()
    async with attend(browser, mode, UNDERCROFT_LOG_LEVEL="debug") as client:
        stored = await call(client, "store_secret", name="STRIPE_KEY", description="payments")
    assert (stored["name"], stored["version"]) == ("STRIPE_KEY", 1)
    (asked,) = browser.asked
    assert asked.url.startswith("http://127.0.0.1:")
    assert "STRIPE_KEY" in asked.message
    assert project in asked.message
    secrets = await app.secrets(project)
    assert await secrets.use(["STRIPE_KEY"], purpose="test") == {"STRIPE_KEY": CANARY}
    log = (tmp_path / "server.log").read_text()
    assert "page_ended" in log
    assert CANARY not in log
    assert asked.url.rpartition("/")[2] not in log


@pytest.mark.parametrize(("mode", "action"), [("legacy", "decline"), ("2026-07-28", "cancel")])
async def test_a_person_may_decline(attend: Connect, mode: str, action: Any) -> None:
    browser = Browser(action)
    async with attend(browser, mode) as client:
        refused = await call(client, "store_secret", name="A")
        assert refused["code"] == "forbidden"
        assert await asyncio.to_thread(send, browser.asked[0].url, "late") == 410
        assert (await call(client, "list_secrets"))["items"] == []


@pytest.mark.parametrize("mode", ERAS)
async def test_a_person_who_takes_their_time_keeps_no_call_waiting(
    attend: Connect, mode: str
) -> None:
    browser = Browser()
    browser.types = None
    async with attend(browser, mode, UNDERCROFT_CALL_TIMEOUT="1") as client:
        waiting = await call(client, "store_secret", name="A")
        assert waiting["waiting"] is True
        # Once more, and nobody is sent there twice.
        again = await call(client, "store_secret", name="A")
        assert again["waiting"] is True
        assert len(browser.asked) == 1
        assert await asyncio.to_thread(send, browser.asked[0].url, CANARY) == 200
        assert (await call(client, "get_secret", name="A"))["version"] == 1
        assert (await call(client, "store_secret", name="A"))["version"] == 1
        assert len(browser.asked) == 1
        # The newer revision has no such notification: its clients repeat the call.
        assert browser.told == ([browser.asked[0].elicitation_id] if mode == "legacy" else [])


async def test_a_call_with_a_key_asks_once(attend: Connect) -> None:
    browser = Browser()
    async with attend(browser) as client:
        first = await call(client, "store_secret", name="A", idempotency_key="k")
        again = await call(client, "store_secret", name="A", idempotency_key="k")
    assert first == again
    assert len(browser.asked) == 1


async def test_a_client_that_shows_no_pages_is_told_of_the_command(attend: Connect) -> None:
    async with attend(None, "2026-07-28") as client:
        refused = await call(client, "store_secret", name="A")
    assert refused["code"] == "invalid_input"
    assert "undercroft secret set A" in refused["hint"]


async def test_an_older_client_with_forms_alone_is_told_of_the_command(
    spawn: Spawn, project: str
) -> None:
    server = await spawn("--project", project)
    await server.request(
        "initialize",
        protocolVersion="2025-06-18",
        capabilities={"elicitation": {}},
        clientInfo={"name": "old", "version": "1"},
    )
    await server.send({"method": "notifications/initialized"})
    assert "undercroft secret set A" in (await server.call("store_secret", name="A"))["hint"]


async def test_over_http_nobody_is_sent_to_a_page_of_another_machine(
    spawn: Spawn, project: str
) -> None:
    server = await spawn("--transport", "http", "--port", "0", "--project", project)
    port = (await server.logged("listening"))["port"]
    browser: Any = Browser()
    url = f"http://127.0.0.1:{port}/mcp"
    async with Client(url, mode="legacy", elicitation_callback=browser) as client:
        refused = await call(client, "store_secret", name="A")
    assert "undercroft secret set A" in refused["hint"]
    assert browser.asked == []


async def test_whoever_calls_from_a_program_is_told_of_the_command(app: App, project: str) -> None:
    outcome = await app.boundary.call(
        "store_secret", {"name": "A", "project": project}, Caller(actor="test")
    )
    assert "undercroft secret set A" in outcome.body["hint"]


async def test_nobody_is_asked_in_vain_and_the_page_ends_with_its_server(attend: Connect) -> None:
    browser = Browser()
    browser.types = None
    async with attend(browser, UNDERCROFT_CALL_TIMEOUT="1") as client:
        for wrong in ({"name": "PATH"}, {"name": "A", "kind": "nonsense"}, {"name": "no-name"}):
            assert "code" in await call(client, "store_secret", **wrong)
        assert browser.asked == []
        await call(client, "store_secret", name="A")
        url = browser.asked[0].url
    with pytest.raises(OSError, match=r"refused|reset"):
        await asyncio.to_thread(send, url, "late")
