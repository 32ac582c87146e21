"""Joining, mending, leaving and stopping the shared server; it blocks, so threads call it.

Two locks carry it. `users.lock` is held, shared, by each process that uses the server, for as
long as it lives; whoever can take it alone knows that nobody uses the server. `start.lock` is
held only while somebody joins, starts, leaves or stops, so that these never overlap.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from undercroft.db.embedded import postmaster, system
from undercroft.db.embedded.layout import Layout, prepare
from undercroft.db.embedded.postmaster import Postmaster, State
from undercroft.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from undercroft.db.embedded.binaries import Binaries

LOCK_PATIENCE = 40.0
STOP_PATIENCE = 10.0
POLL = 0.01
# A postmaster may be killed at its start as at any other time, and says nothing then.
TRIES = 3


@dataclass(frozen=True, kw_only=True)
class User:
    """A process that uses the server."""

    pid: int
    command: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """The server as `undercroft postgres status` shows it; size in bytes."""

    running: bool
    accepting: bool
    pid: int | None
    version: str
    socket: str
    port: int | None
    data: str
    size: int
    kept: bool
    users: list[User]


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where things lie, and our hold on the two locks; `probe` asks who else holds `users`."""

    layout: Layout
    start: system.FileLock
    users: system.FileLock
    probe: system.FileLock


class Lifecycle:
    """One process's share in the server of one home; times are in seconds.

    A call waits `patience` for a start or a recovery. One that takes longer goes on without
    us, and the next call waits for it again: a server at work is never killed.
    """

    def __init__(self, home: Path, bindir: str, *, interval: float, patience: float) -> None:
        self._home = home
        self._bindir = bindir
        self._interval = interval
        self._patience = patience
        self._one_at_a_time = threading.Lock()
        self._places_once: Places | None = None

    def join(self) -> Postmaster:
        """Make sure that the server runs, and become one of its users."""
        with self._turn() as layout:
            # Enlisted even if it fails: a recovery that takes longer than we wait goes on for us.
            self._enlist()
            return self._ensure(layout)

    def recover(self) -> Postmaster:
        """Wait for a server that recovers, or start one that died; it takes us in afterwards."""
        with self._turn() as layout:
            self._enlist()
            return self._ensure(layout)

    def leave(self) -> None:
        """Stop using the server. The last one to leave stops it, unless it shall be kept."""
        if self._places_once is None or not self._places.users.held:
            return
        try:
            with self._turn(STOP_PATIENCE) as layout:
                self._places.users.release()
                if not layout.keep.exists() and self._alone():
                    self._stop(layout, only_ready=True)
        except Unavailable:
            # Somebody is starting or stopping the server this long: it is theirs, or the keeper's.
            structlog.get_logger().warning("postgres.left_running")
        finally:
            self._places.users.release()

    def keep(self) -> Postmaster:
        """Start the server, and let it run until `stop` even when nobody uses it."""
        found = self.join()
        self._layout.keep.touch(mode=0o600)
        self.leave()
        return found

    def stop(self, *, force: bool) -> bool:
        """Stop the server and no longer keep it; whether there was one to stop.

        Raises:
            Conflict: Others use it, and `force` was not given.
            Unavailable: It has been told to stop and is still at it.

        """
        with self._turn() as layout:
            if not force and not self._alone():
                raise _in_use(self._others(layout))
            layout.keep.unlink(missing_ok=True)
            return self._stop(layout, only_ready=False)

    def status(self) -> Status:
        """Describe the server as it is; nothing is started and no lock is taken."""
        layout = self._layout
        found = postmaster.find(layout)
        running = found if found and found.listens() else None
        answer = running.answer() if running else None
        data = running.data if running else next(iter(layout.data_folders()[::-1]), None)
        return Status(
            running=running is not None,
            accepting=answer is not None,
            pid=running.pid if running else None,
            version=(answer or {}).get("server_version", data.name if data else ""),
            socket=str(running.socket_folder) if running else "",
            port=running.port if running else None,
            data=str(data or ""),
            size=_size(data) if data else 0,
            kept=layout.keep.exists(),
            users=self._others(layout),
        )

    def programs(self) -> "Binaries":
        """Find the programs that belong to the server."""
        from undercroft.db.embedded.binaries import find_binaries, within_reach  # noqa: PLC0415

        return within_reach(find_binaries(self._bindir), self._layout.account)

    def logs(self) -> list[Path]:
        """List the files of the server's log, the oldest first."""
        from undercroft.db.embedded.cluster import log_files  # noqa: PLC0415

        return [path for data in self._layout.data_folders() for path in log_files(data)]

    @property
    def _places(self) -> Places:
        if self._places_once is None:
            self._places_once = _places(prepare(self._home))
        return self._places_once

    @property
    def _layout(self) -> Layout:
        return self._places.layout

    @contextmanager
    def _turn(self, patience: float = LOCK_PATIENCE) -> Iterator[Layout]:
        with self._one_at_a_time:
            if not self._places.start.acquire("exclusive", seconds=patience):
                raise Unavailable("Another process is starting or stopping PostgreSQL.")
            try:
                yield self._layout
            finally:
                self._places.start.release()

    def _enlist(self) -> None:
        users = self._places.users
        if not users.held and not users.acquire("shared", seconds=STOP_PATIENCE):
            raise Unavailable("PostgreSQL is being stopped.")

    def _alone(self) -> bool:
        alone = self._places.probe.acquire("exclusive")
        self._places.probe.release()
        return alone

    def _others(self, layout: Layout) -> list[User]:
        pids = system.holders(layout.users_lock)
        return [User(pid=pid, command=system.command_of(pid)) for pid in pids]

    def _ensure(self, layout: Layout) -> Postmaster:
        deadline = time.monotonic() + self._patience
        failures = 0
        while time.monotonic() < deadline:
            found = postmaster.find(layout)
            state = found.state() if found else State.ABSENT
            if found and state is State.READY:
                return found
            if state is State.ABSENT:
                _clear(found)
                from undercroft.db.embedded.starting import start  # noqa: PLC0415

                error = start(layout, self._bindir, interval=self._interval, deadline=deadline)
                failures += error is not None
                if error and failures == TRIES:
                    raise error
            else:
                time.sleep(POLL)
        raise Unavailable(
            "PostgreSQL is still starting or recovering.",
            hint="It goes on by itself, and is safest left alone. Try again in a while.",
        )

    def _stop(self, layout: Layout, *, only_ready: bool) -> bool:
        found = postmaster.find(layout)
        if found is None or not found.works() or (only_ready and found.status != "ready"):
            return False
        system.ask_to_stop(found.pid)
        deadline = time.monotonic() + STOP_PATIENCE
        while found.works():
            if time.monotonic() > deadline:
                raise Unavailable("PostgreSQL has been told to stop and is still at it.")
            time.sleep(POLL / 2)
        # Under start.lock, so that nobody is about to put a socket there.
        if layout.is_elsewhere(found.socket_folder):
            with suppress(OSError):
                found.socket_folder.rmdir()
        return True


def _places(layout: Layout) -> Places:
    folder = layout.folder.stat()
    owner = (folder.st_uid, folder.st_gid) if layout.account else None
    return Places(
        layout=layout,
        start=system.FileLock(layout.start_lock, owner),
        users=system.FileLock(layout.users_lock, owner),
        probe=system.FileLock(layout.users_lock, owner),
    )


def _clear(found: Postmaster | None) -> None:
    """Remove the lock files of a postmaster that is proven dead.

    PostgreSQL looks only whether a process of that number exists: a zombie that nobody reaps,
    or another program that was given the number after a reboot, would keep it from starting.
    """
    if found:
        structlog.get_logger().info("postgres.clear_remains", pid=found.pid)
        for path in (found.data / "postmaster.pid", Path(f"{found.socket}.lock")):
            path.unlink(missing_ok=True)


def _in_use(users: list[User]) -> Conflict:
    names = ", ".join(f"{user.pid} ({user.command[:60]})" for user in users[:5])
    count = len(users) or "some"
    return Conflict(
        f"PostgreSQL is in use by {count} other process(es){': ' if names else ''}{names}.",
        hint="End them first, or use --force: they reconnect, which starts it again.",
        data={"users": [user.pid for user in users]},
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except OSError:
            continue
    return total
