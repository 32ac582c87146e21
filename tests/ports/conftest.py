"""The ports room over a registry of the test's own, and programs that listen."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import pytest

from undercroft.app import App
from undercroft.ports.service import Ports

Listen = Callable[..., socket.socket]


@pytest.fixture
async def ports(app: App, project: str) -> Ports:
    return await app.ports("test")


@pytest.fixture
async def sql(app: App, project: str, connect: Callable[..., Any]) -> asyncpg.Connection:
    """A bare SQL client of the registry."""
    connection: asyncpg.Connection = await connect((await app.registry()).name)
    return connection


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Another program that has a port: bound, and listening where it is TCP."""
    with ExitStack() as stack:

        def listen(
            port: int,
            family: int = socket.AF_INET,
            kind: int = socket.SOCK_STREAM,
            address: str = "127.0.0.1",
            reuse: bool = False,
        ) -> socket.socket:
            one = stack.enter_context(socket.socket(family, kind))
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
            one.bind((address, port))
            if kind == socket.SOCK_STREAM:
                one.listen()
            return one

        yield listen
