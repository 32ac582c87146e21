"""A person is shown a page by their client: URL mode of MCP's elicitation.

Up to revision 2025-11-25 the server asks in the middle of a call. From 2026-07-28 on a server sends
no requests: the call is answered with the question, and the client repeats it with the reply.

Only over stdio is the person at this machine. Over HTTP the client may be anywhere, and a page on
this machine's loopback would be some other program's on theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitRequest, ElicitRequestURLParams, ElicitResult, InputRequiredResult
from mcp_types.version import is_version_at_least
from pydantic import ValidationError

from undercroft.person import Nobody, Person, Question, Reply

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

URL_MODE_SINCE = "2025-11-25"
ROUND_TRIPS_SINCE = "2026-07-28"
"""Revisions of the protocol."""

PAGE = "page"
"""Key of the one request in an answer that asks."""

_REPLIES: dict[str, Reply] = {"accept": "accepted", "decline": "declined", "cancel": "cancelled"}


def person_behind(context: Context[Any, Any], transport: str) -> Person:
    """Whom the client of a call can show a page."""
    capabilities = context.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if transport != "stdio" or elicitation is None or elicitation.url is None:
        return Nobody()
    version = context.protocol_version or ""
    if is_version_at_least(version, ROUND_TRIPS_SINCE):
        return _Repeating(context)
    return _Asked(context) if is_version_at_least(version, URL_MODE_SINCE) else Nobody()


def as_result(question: Question) -> InputRequiredResult:
    """A question as the answer of a call; the page's name comes back with the reply."""
    asked = ElicitRequest(params=ElicitRequestURLParams(message=question.why, url=question.url))
    return InputRequiredResult(input_requests={PAGE: asked}, request_state=question.page)


@dataclass(frozen=True)
class _Asked:
    """A person who is asked in the middle of the call."""

    _context: Context[Any, Any]

    async def show(self, url: str, why: str, page: str) -> Reply:
        # Not within the call: that may be answered while the person still thinks about it.
        try:
            result = await self._context.session.elicit_url(why, url, page)
        except (MCPError, ValidationError, anyio.ClosedResourceError, anyio.BrokenResourceError):
            return "unsupported"
        return _REPLIES[result.action]

    async def finished(self, page: str) -> None:
        await self._context.session.send_elicit_complete(page)


@dataclass(frozen=True)
class _Repeating:
    """A person whose reply comes with the same call once more."""

    _context: Context[Any, Any]

    async def show(self, url: str, why: str, page: str) -> Reply:
        reply = (self._context.input_responses or {}).get(PAGE)
        # A reply to another page says nothing of this one.
        if self._context.request_state != page or not isinstance(reply, ElicitResult):
            raise Question(url, why, page)
        return _REPLIES[reply.action]

    async def finished(self, page: str) -> None:
        """Nothing: the client repeats the call when it likes."""
