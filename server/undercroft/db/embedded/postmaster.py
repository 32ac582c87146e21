"""A postmaster: seen through its lock file and asked over its socket."""

import os
import re
import socket
import struct
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from undercroft.db.embedded import system
from undercroft.db.embedded.layout import Layout

LOGIN = "undercroft"
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

    def state(self) -> State:
        """What is to be done about the server: use it, wait for it, or start one."""
        # Asked over the wire: a postmaster that was just killed listens until the kernel is done.
        if self.status == "ready" and self.answer() is not None:
            return State.READY
        busy = self.listens() or self.works() or self.has_orphans()
        return State.BUSY if busy else State.ABSENT

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
