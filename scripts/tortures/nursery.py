"""`python -m tortures.nursery HOME FAULT LIFE`: forks processes, so that a death costs little.

LIFE is the module whose `serve` they follow; everything is loaded once. Each line of JSON that
comes in starts a process. What goes out are lines for each start (`{"pid", "began"}`) and each
death (`{"pid", "end"}`), and what the processes say. FAULT may be "".
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from tortures.birth import born, say
from tortures.planted import FAULTS
from undercroft.log import configure
from undercroft.settings import Settings


def bury(children: set[int], say: Callable[..., None]) -> None:
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
    # Loaded only now: a fault must be planted before the product is.
    serve = import_module(sys.argv[3]).serve
    settings = Settings(home=Path(sys.argv[1]))
    children: set[int] = set()
    waiting = b""
    while True:
        ready, _, _ = select.select([0], [], [], 0.05)
        bury(children, say)
        if not ready:
            continue
        read = os.read(0, 1 << 16)
        if not read:
            break
        *orders, waiting = (waiting + read).split(b"\n")
        for order in orders:
            pid = born(serve, settings, json.loads(order))
            children.add(pid)
            say(pid=pid, began=True)
    for pid in children:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
