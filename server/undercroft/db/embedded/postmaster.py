"""A postmaster: seen through its lock file, asked over its socket, started and stopped."""

import json
import os
import re
import selectors
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import structlog

from undercroft.db.embedded import system
from undercroft.db.embedded.binaries import environment
from undercroft.db.embedded.cluster import LOGIN, Cluster
from undercroft.db.embedded.layout import Layout, socket_folder

PORT = 5432
PATIENCE = 2.0
PROTOCOL = 196608  # version 3.0 of the protocol of client and server
LINES = 8


class State(Enum):
    """What can be said of the server."""

    ABSENT = "absent"
    BUSY = "busy"  # starting, recovering or stopping: its process is at work
    READY = "ready"


@dataclass(frozen=True, kw_only=True)
class Postmaster:
    """What postmaster.pid says; https://www.postgresql.org/docs/18/storage-file-layout.html."""

    data: Path
    pid: int
    socket_folder: Path
    port: int
    shared_memory: tuple[int, int] | None
    status: str

    @property
    def socket(self) -> Path:
        """The path of the socket."""
        return self.socket_folder / f".s.PGSQL.{self.port}"

    def listens(self) -> bool:
        """Whether a process, and be it a busy one, listens on the socket."""
        try:
            _connect(self.socket).close()
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def works(self) -> bool:
        """Whether the process is alive and is the postmaster of this data."""
        return system.works_in(self.pid, self.data)

    def has_orphans(self) -> bool:
        """Whether processes of a dead postmaster still hold its shared memory."""
        return bool(self.shared_memory and system.shared_memory_users(*self.shared_memory))

    def answer(self) -> dict[str, str] | None:
        """Ask what the server says of itself on log-in; None if it takes nobody in just now.

        Every way of being refused but "starting up" and "shutting down" counts as taking in:
        the server is up, and what is wrong is for the caller's connection to tell.
        """
        try:
            with _connect(self.socket) as connection:
                return _greet(connection)
        except OSError:
            return None


def read(data: Path) -> Postmaster | None:
    """Read the lock file of that data, true or not; None if there is none."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return None
    lines += [""] * LINES
    memory = [int(word) for word in lines[6].split() if word.lstrip("-").isdigit()]
    return Postmaster(
        data=data,
        # A server of one session, as the bootstrap is, writes its number with a minus.
        pid=abs(int(lines[0])) if lines[0].strip().lstrip("-").isdigit() else 0,
        port=int(lines[3]) if lines[3].isdigit() else PORT,
        socket_folder=Path(lines[4] or "/nonexistent"),
        shared_memory=(memory[0], memory[1]) if len(memory) > 1 else None,
        status=lines[7].strip(),
    )


def find(layout: Layout) -> Postmaster | None:
    """Find the postmaster of whatever major version has a lock file here."""
    found = [postmaster for data in layout.data_folders() if (postmaster := read(data))]
    return next((one for one in found if one.listens()), found[-1] if found else None)


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    try:
        connection.connect(os.fsencode(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _greet(connection: socket.socket) -> dict[str, str] | None:
    words = f"user\0{LOGIN}\0database\0postgres\0application_name\0undercroft probe\0\0".encode()
    connection.sendall(struct.pack("!II", len(words) + 8, PROTOCOL) + words)
    said = b""
    while chunk := connection.recv(8192):
        said += chunk
        if said[:1] == b"E":
            return None if b"C57P03\0" in said else {}
        if b"Z\0\0\0\5" in said:
            break
    connection.sendall(b"X\0\0\0\4")
    pairs = re.findall(rb"S....([a-z_]+)\0([^\0]*)\0", said, re.DOTALL)
    return {name.decode(): value.decode() for name, value in pairs} or None


class Launch:
    """One attempt to start a postmaster, watched through a pipe that its keeper holds."""

    def __init__(self, cluster: Cluster, *, interval: float) -> None:
        self._log = cluster.layout.start_log
        self._cluster = cluster
        self._pipe, theirs = os.pipe()
        try:
            self._spawn(self._order(theirs, interval), theirs)
        except BaseException:
            self.close()
            raise
        finally:
            os.close(theirs)

    def _order(self, pipe: int, interval: float) -> str:
        layout, data = self._cluster.layout, self._cluster.data
        sockets = socket_folder(layout)
        settings = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(sockets),
            "unix_socket_permissions": "0700",
        }
        options = [word for pair in settings.items() for word in ("-c", "=".join(pair))]
        program = self._cluster.binaries.program("postgres")
        order = {
            "command": [program, "-D", str(data), *options],
            "environment": environment(),
            "owner": layout.account.owner if layout.account else None,
            "start_lock": str(layout.start_lock),
            "users_lock": str(layout.users_lock),
            "keep": str(layout.keep),
            "clear_away": str(sockets) if layout.is_elsewhere(sockets) else "",
            "interval": interval,
            "pid_file": str(data / "postmaster.pid"),
            "pipe": pipe,
        }
        return json.dumps(order)

    def _spawn(self, order: str, pipe: int) -> None:
        # No pipe but the one that tells of the end: a server that inherits a caller's stdout
        # keeps whoever reads that waiting for ever.
        with self._log.open("wb") as log:
            subprocess.run(  # noqa: S603 - our own file
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")), order],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(pipe,),
                start_new_session=True,
                check=True,
            )

    def ended(self, seconds: float) -> bool:
        """Wait that long at most for the postmaster's end; whether it has ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._pipe, selectors.EVENT_READ)
            return bool(selector.select(seconds))

    def said(self) -> str:
        """Read what the server said of its end, and log it."""
        text = self._log.read_text(errors="replace")
        structlog.get_logger().warning("postgres.start_failed", said=text[-4000:])
        return text

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._pipe)
