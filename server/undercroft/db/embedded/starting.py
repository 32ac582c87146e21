"""Starting a server: loaded only by the process that starts it, not by those that join."""

import json
import os
import re
import selectors
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import structlog

from undercroft.db.embedded import postmaster
from undercroft.db.embedded.binaries import environment, find_binaries, within_reach
from undercroft.db.embedded.cluster import Cluster, failure, log_files
from undercroft.db.embedded.layout import Layout, socket_folder
from undercroft.errors import UndercroftError

POLL = 0.01
# The remains of a dead postmaster; they go away, or are cleared as soon as that is safe.
PASSING = re.compile(r"lock file .* already exists|still in use|is already running", re.IGNORECASE)


def start(
    layout: Layout, bindir: str, *, interval: float, deadline: float
) -> UndercroftError | None:
    """Start a server and wait until it is ready, has given up, or the time is over.

    What comes back is why it gave up, unless that passes by itself.
    """
    binaries = within_reach(find_binaries(bindir), layout.account)
    cluster = Cluster(layout=layout, binaries=binaries)
    cluster.prepare()
    with closing(Launch(cluster, interval=interval)) as launch:
        while time.monotonic() < deadline:
            ended = launch.ended(POLL)
            found = postmaster.read(cluster.data)
            if found and found.state() is postmaster.State.READY:
                return None
            if ended:
                time.sleep(POLL * 10)
                return _reason(launch.said(), cluster)
    return None


def _reason(said: str, cluster: Cluster) -> UndercroftError | None:
    if PASSING.search(said):
        return None
    newest = log_files(cluster.data)[-1:]
    logged = "".join(path.read_text(errors="replace")[-4000:] for path in newest)
    return failure("postgres", said + logged)


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
            "port": str(postmaster.PORT),
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
