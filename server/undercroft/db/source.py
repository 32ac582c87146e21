"""Where a PostgreSQL server is, and who looks after it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class ServerAddress:
    """What asyncpg.connect needs, but for the name of a database.

    A host that begins with a slash is the folder of a unix socket. `parameters`
    are further keyword arguments of asyncpg.connect (ssl, target_session_attrs …).
    """

    host: str | list[str]
    port: int | list[int]
    user: str
    password: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


class Source(Protocol):
    """A PostgreSQL server: one that we run ourselves or one that others run."""

    async def address(self) -> ServerAddress:
        """Where the server listens; makes sure that it runs where that is ours to do."""
        ...

    async def recover(self) -> None:
        """Mend what can be mended after a connection was refused."""
        ...

    async def close(self) -> None:
        """Leave the server; the last one to leave an embedded server stops it."""
        ...
