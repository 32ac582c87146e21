"""Streamable HTTP and SSE: many clients, and whom the server lets in."""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import JSONResponse

from undercroft.errors import InvalidInput
from undercroft.mcp.lifetime import Lifetime

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.server import Server
    from undercroft.settings import Settings

log = structlog.get_logger("undercroft.http")

MAX_BODY = 4 * 1024 * 1024
"""Bytes of one request, as of a line of stdio."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")

LAST_WORDS = 1
"""Seconds for answers on their way and idle streams, once calls have finished."""


class _Web(uvicorn.Server):
    """uvicorn without its own ideas about signals: calls finish before streams are cut."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_http(server: Server, boundary: Boundary, settings: Settings) -> None:
    """Serve many clients over streamable HTTP (/mcp) or SSE (/sse) until a signal.

    Raises:
        InvalidInput: The address is not loopback and there is no token, or it is taken.

    """
    refuse_open_door(settings)
    listening = _listen(settings.host, settings.port)
    config = uvicorn.Config(
        Gate(web_app(server, settings), settings),
        log_config=None,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=LAST_WORDS,
    )
    web = _Web(config)
    life = Lifetime(settings.shutdown_timeout)
    port = listening.getsockname()[1]
    log.info("listening", transport=settings.transport, host=settings.host, port=port)
    serving = asyncio.ensure_future(web.serve(sockets=[listening]))
    ending = asyncio.create_task(_end(life, web, server, boundary))
    try:
        await serving
    finally:
        ending.cancel()


async def _end(life: Lifetime, web: _Web, server: Server, boundary: Boundary) -> None:
    await life.over.wait()
    boundary.refuse()
    server.end_subscriptions()
    await boundary.drain(life.patience)
    # What is still open now are streams that wait for events: no reason for an error.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    web.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise InvalidInput(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Choose another --port or --host.",
        ) from None


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen beyond this machine without a token."""
    if not settings.token and not is_loopback(settings.host):
        raise InvalidInput(
            f"Undercroft does not listen on {settings.host} without a token.",
            hint="Set UNDERCROFT_TOKEN to a long random text, or use --host 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return False


def web_app(server: Server, settings: Settings) -> Starlette:
    """The library's web application; who may enter is the gate's business."""

    async def healthy(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    server.custom_route("/health", methods=["GET"])(healthy)
    open_inside = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    if settings.transport == "sse":
        return server.sse_app(
            host=settings.host, transport_security=open_inside, max_request_body_size=MAX_BODY
        )
    return server.streamable_http_app(
        host=settings.host,
        stateless_http=settings.stateless,
        transport_security=open_inside,
        max_request_body_size=MAX_BODY,
    )


class Gate:
    """Checks Host, Origin and token before anything else sees a request.

    Host and Origin: a page in a browser may make the browser call a server on this machine,
    under a name of its own (DNS rebinding). The token is compared in constant time and only
    ever read from its header: addresses end up in logs.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._token = settings.token.encode()
        named = [] if settings.host in ("0.0.0.0", "::") else [settings.host.strip("[]")]  # noqa: S104 - compared, not bound
        self._hosts = {
            name.lower() for name in (*LOOPBACK, *named, *_listed(settings.allowed_hosts))
        }
        self._origins = {origin.rstrip("/").lower() for origin in _listed(settings.allowed_origins)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope["path"], dict(scope["headers"]))
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, path: str, headers: dict[bytes, bytes]) -> JSONResponse | None:
        if not self._knows_host(headers.get(b"host", b"").decode("latin-1")):
            return _refuse(403, "This Host is not allowed. UNDERCROFT_ALLOWED_HOSTS names more.")
        origin = headers.get(b"origin")
        if origin is not None and not self._knows_origin(origin.decode("latin-1")):
            return _refuse(
                403, "This Origin is not allowed. UNDERCROFT_ALLOWED_ORIGINS names more."
            )
        if path == "/health" or self._bears_token(headers.get(b"authorization", b"")):
            return None
        return _refuse(401, "Send the header Authorization: Bearer <token>.")

    def _knows_host(self, host: str) -> bool:
        # Compared whole or without its port; both forms may be listed.
        return host.lower() in self._hosts or _name(f"//{host}") in self._hosts

    def _knows_origin(self, origin: str) -> bool:
        if origin.lower() in self._origins:
            return True
        return origin.startswith(("http://", "https://")) and _name(origin) in LOOPBACK

    def _bears_token(self, authorization: bytes) -> bool:
        if not self._token:
            return True
        scheme, _, token = authorization.partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token.strip(), self._token)


def _name(url: str) -> str:
    """The host's name in a URL, without port, user or brackets; empty where there is none."""
    try:
        parts = urlsplit(url)
        return (
            (parts.hostname or "") if parts.username is None and not parts.path.strip("/") else ""
        )
    except ValueError:
        return ""


def _refuse(status: int, message: str) -> JSONResponse:
    code = {401: "unauthorized", 403: "forbidden"}[status]
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004 - as above
    return JSONResponse({"error": code, "message": message}, status_code=status, headers=headers)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
