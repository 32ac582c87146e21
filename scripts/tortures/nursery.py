"""`python -m tortures.nursery HOME FAULT`: forks servers that index, so that a death costs little.

Everything is loaded once. Each line of JSON that comes in starts a process. What goes out are
lines for each start (`{"pid", "began"}`) and each death (`{"pid", "end"}`), and what the processes
say. FAULT may be "".
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import select
import signal
import sys
from pathlib import Path
from typing import Any

from tortures.planted import FAULTS
from undercroft.app import open_app
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.indexing.labor import Labor
from undercroft.codebase.service import Codebase
from undercroft.errors import UndercroftError
from undercroft.log import configure
from undercroft.settings import Settings

PAUSE = 0.02
"""Seconds between two runs of a server."""


def say(**what: Any) -> None:
    """One line, in one piece."""
    os.write(1, json.dumps({"pid": os.getpid()} | what).encode() + b"\n")


async def serve(settings: Settings, order: dict[str, Any]) -> None:
    """Index the folder: once, or until killed, now and then by a search."""
    root = Path(order["root"])
    async with open_app(settings) as app:
        database = (await app.open(order["project"])).database
        indexer = Indexer(database, **order["sizes"])
        turn = 0
        while True:
            turn += 1
            try:
                if turn % 4:
                    report = await indexer.index(root)
                    await indexer.settled()
                    say(run=report.changed, files=report.files, omitted=report.omitted)
                else:
                    await Codebase(database).search("which module reconciles the ledger")
            except UndercroftError as error:
                say(error=error.code, message=error.message)
            if order["once"]:
                return
            await asyncio.sleep(PAUSE)


def born(settings: Settings, order: dict[str, Any]) -> int:
    """A process that follows the order."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        # A session of its own: what it starts can be told from what others start.
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        asyncio.run(serve(settings, order))
        status = 0
    except BaseException as error:  # noqa: BLE001 - it is told, and that is the end of it
        say(defect=f"{type(error).__name__}: {error}"[:300])
    finally:
        os._exit(status)


def bury(children: set[int]) -> None:
    """Tell of those that have ended."""
    for child in list(children):
        pid, status, used = os.wait4(child, os.WNOHANG)
        if pid:
            children.remove(pid)
            end = os.waitstatus_to_exitcode(status)
            say(pid=pid, end=end, memory=used.ru_maxrss * 1024)


def main() -> None:
    """Start what is ordered until the input ends."""
    configure("critical", "json")
    if sys.argv[2]:
        FAULTS[sys.argv[2]].in_process()
    settings = Settings(home=Path(sys.argv[1]))
    Labor()
    children: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.05)
        bury(children)
        if not ready:
            continue
        read = os.read(0, 1 << 16)
        if not read:
            break
        *orders, waiting = (waiting + read).split(b"\n")
        for order in orders:
            pid = born(settings, json.loads(order))
            children.add(pid)
            say(pid=pid, began=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
