"""The embedded PostgreSQL as a source of connections; nothing here blocks the event loop."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from undercroft.db.source import ServerAddress

if TYPE_CHECKING:
    from undercroft.db.embedded.binaries import Binaries
    from undercroft.db.embedded.lifecycle import Lifecycle, Status
    from undercroft.db.embedded.postmaster import Postmaster

# How often the keeper looks whether anybody is left; twice nobody, and it stops the server.
KEEPER_INTERVAL = 30.0
START_PATIENCE = 30.0


class EmbeddedPostgres:
    """A PostgreSQL of our own in a folder, shared by all processes that name the folder.

    `home` is made if it is missing; `bindir` names a folder of PostgreSQL programs to use
    in place of the installed ones. Seconds: `keeper_interval` between two looks whether anybody
    is left, `start_patience` for a start or a recovery within one call.
    """

    def __init__(
        self,
        home: Path,
        bindir: str = "",
        *,
        keeper_interval: float = KEEPER_INTERVAL,
        start_patience: float = START_PATIENCE,
    ) -> None:
        self._home = home
        self._bindir = bindir
        self._interval = keeper_interval
        self._patience = start_patience
        self._lifecycle: Lifecycle | None = None
        self._address: ServerAddress | None = None
        self._one_flight = asyncio.Lock()

    async def address(self) -> ServerAddress:
        """Where the server listens; on the first call it is made, started or joined.

        Raises:
            InvalidInput: It can never start like this: no programs, a folder that may not be
                written, data of another major version.
            Unavailable: It may start later: it recovers, or the disk is full.

        """
        if self._address is None:
            async with self._one_flight:
                if self._address is None:
                    self._address = _address(await asyncio.to_thread(self._life.join))
        return self._address

    async def recover(self) -> None:
        """After a refused connection: wait out a recovery, or start the server anew.

        Raises:
            Unavailable: It is not back within half a minute.

        """
        async with self._one_flight:
            self._address = _address(await asyncio.to_thread(self._life.recover))

    async def close(self) -> None:
        """Leave the server; the last one to leave stops it. May be called again."""
        if self._lifecycle is not None:
            async with self._one_flight:
                self._address = None
                await asyncio.to_thread(self._life.leave)

    async def keep(self) -> ServerAddress:
        """Start the server and let it run, users or not, until `stop`."""
        return _address(await asyncio.to_thread(self._life.keep))

    async def stop(self, *, force: bool = False) -> bool:
        """Stop the server for everybody; whether it ran.

        Raises:
            Conflict: Others use it, and `force` was not given.

        """
        return await asyncio.to_thread(self._life.stop, force=force)

    async def status(self) -> "Status":
        """Describe the server as it is, without starting it."""
        return await asyncio.to_thread(self._life.status)

    async def programs(self) -> "Binaries":
        """Find the programs that belong to the server, psql among them."""
        return await asyncio.to_thread(self._life.programs)

    async def logs(self) -> list[Path]:
        """List the files of the server's log, the oldest first."""
        return await asyncio.to_thread(self._life.logs)

    @property
    def _life(self) -> "Lifecycle":
        if self._lifecycle is None:
            # Imported on first use: a client with a server of its own never needs it.
            from undercroft.db.embedded.lifecycle import Lifecycle  # noqa: PLC0415

            self._lifecycle = Lifecycle(
                self._home, self._bindir, interval=self._interval, patience=self._patience
            )
        return self._lifecycle


def _address(postmaster: "Postmaster") -> ServerAddress:
    # The driver would take ssl from PGSSLMODE, which a socket cannot serve.
    return ServerAddress(
        host=str(postmaster.socket_folder),
        port=postmaster.port,
        user="undercroft",
        parameters={"ssl": False},
    )
