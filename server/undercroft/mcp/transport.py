"""stdio, streamable HTTP and SSE: how long a server lives and whom it lets in."""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import structlog

from undercroft.errors import InvalidInput

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from undercroft.mcp.boundary import Boundary
    from undercroft.mcp.server import Server
    from undercroft.settings import Settings

log = structlog.get_logger("undercroft.transport")

PARENT_CHECK = 2.0
"""Seconds between looks whether the client that started us still lives."""


class PatientInput:
    """stdin, line by line; at its end calls in flight may still answer."""

    def __init__(self, lines: Any, boundary: Boundary, patience: float) -> None:
        self._lines = lines
        self._boundary = boundary
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[str]:
        async for line in self._lines:
            yield line
            # Let the dispatcher take the message before the end of input is looked at.
        await asyncio.sleep(0)
        await self._boundary.drain(self._patience)


async def serve_stdio(server: Server, boundary: Boundary, settings: Settings) -> None:
    """Serve one client until its end of input, its death, a closed pipe or a signal."""
    import anyio  # noqa: PLC0415
    from mcp.server.stdio import stdio_server  # noqa: PLC0415

    stdin = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
    with open(os.devnull) as nothing:  # noqa: PTH123, ASYNC230 - at start, before any call
        os.dup2(nothing.fileno(), 0)
    patient = PatientInput(anyio.wrap_file(stdin), boundary, settings.shutdown_timeout)

    async def talk() -> None:
        async with stdio_server(stdin=patient) as (reading, writing):  # type: ignore[arg-type]
            engine = server.lowlevel
            await engine.run(reading, writing, engine.create_initialization_options())

    await _until_over(talk, boundary, settings)


async def _until_over(
    talk: Callable[[], Awaitable[None]], boundary: Boundary, settings: Settings
) -> None:
    talking = asyncio.ensure_future(talk())
    orphaned = asyncio.create_task(_parent_gone())
    stopped = asyncio.create_task(_signalled())
    try:
        await asyncio.wait({talking, orphaned, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not talking.done():
            await boundary.drain(settings.shutdown_timeout)
        elif (error := talking.exception()) is not None and not _broken_pipe(error):
            raise error
    finally:
        for task in (talking, orphaned, stopped):
            task.cancel()
        # A reader thread may be stuck in read(2) on a pipe that nobody closes: do not wait for it.
        await asyncio.wait({talking, orphaned, stopped}, timeout=0.2)


async def _parent_gone() -> None:
    """Return when the process that started us is gone, even if a sibling keeps the pipe open."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_CHECK)
    log.info("client_gone")


async def _signalled() -> None:
    loop = asyncio.get_running_loop()
    caught = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(number, caught.set)
    await caught.wait()
    log.info("signalled")


def _broken_pipe(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_broken_pipe(inner) for inner in error.exceptions)
    return isinstance(error, BrokenPipeError | ConnectionResetError | asyncio.CancelledError)


async def serve_http(server: Server, boundary: Boundary, settings: Settings) -> None:
    """Serve many clients over streamable HTTP (/mcp) or SSE (/sse) until a signal.

    Raises:
        InvalidInput: The address is not loopback and there is no token.

    """
    import uvicorn  # noqa: PLC0415 - 250 ms that stdio never pays

    refuse_open_door(settings)
    config = uvicorn.Config(
        guarded(web_app(server, settings), settings.token),
        host=settings.host,
        port=settings.port,
        log_config=None,
        lifespan="on",
        timeout_graceful_shutdown=max(1, round(settings.shutdown_timeout)),
    )
    log.info("listening", transport=settings.transport, host=settings.host, port=settings.port)
    await uvicorn.Server(config).serve()


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen beyond this machine without a token."""
    if not settings.token and not is_loopback(settings.host):
        raise InvalidInput(
            f"Undercroft does not listen on {settings.host} without a token.",
            hint="Set UNDERCROFT_TOKEN to a long random text, or use --host 127.0.0.1.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return False


def web_app(server: Server, settings: Settings) -> Starlette:
    """The library's web application with our rules about Host, Origin and sessions."""
    from mcp.server.transport_security import TransportSecuritySettings  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import JSONResponse  # noqa: PLC0415

    async def healthy(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    server.custom_route("/health", methods=["GET"])(healthy)
    names = ["127.0.0.1", "localhost", "[::1]", *_listed(settings.allowed_hosts)]
    if settings.host not in ("0.0.0.0", "::", *names):  # noqa: S104 - compared, not bound
        names.append(settings.host)
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[form for name in names for form in (name, f"{name}:*")],
        allowed_origins=[
            *(f"http://{name}{port}" for name in names[:3] for port in ("", ":*")),
            *_listed(settings.allowed_origins),
        ],
    )
    if settings.transport == "sse":
        return server.sse_app(host=settings.host, transport_security=security)
    return server.streamable_http_app(
        host=settings.host, stateless_http=settings.stateless, transport_security=security
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def guarded(app: Any, token: str) -> Any:
    """The application behind a bearer token, compared in constant time; /health stays open."""
    if not token:
        return app
    expected = f"Bearer {token}".encode()

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] == "/health":
            await app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"authorization", b"")
        if hmac.compare_digest(given, expected):
            await app(scope, receive, send)
            return
        body = b'{"error":"unauthorized","message":"Send the header Authorization: Bearer <token>."}'
        headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
        await send({"type": "http.response.start", "status": 401, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return guard


def leave() -> None:
    """End the process now; a thread stuck in read(2) would keep the interpreter waiting."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    os._exit(0)
