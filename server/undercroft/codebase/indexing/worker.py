"""A process of its own that works on batches of files, and ends with the one that started it.

Run by path, with the folder of the package as its argument. It reads orders from its input and
writes what came of them to its output, as `batch.frame` makes them; when its input
ends, whatever it is doing ends.
"""

import gc
import json
import os
import sys
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO

MAX_MEMORY = 3 * 1024**3
"""Bytes of address space: what goes wild ends here and not in the machine's swap."""

Orders = SimpleQueue[dict[str, Any]]


def listen(source: BinaryIO, orders: Orders) -> None:
    """Hand on what is asked; the end of the input is the end of the server, and so of this."""
    while head := source.read(4):
        orders.put(json.loads(source.read(int.from_bytes(head, "big"))))
    os._exit(0)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not on every platform
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main() -> None:
    """Serve until the input ends."""
    _limit_memory()
    orders: Orders = SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    sys.path.insert(0, sys.argv[1])
    from undercroft.codebase.indexing.batch import Wanted, encode, frame  # noqa: PLC0415
    from undercroft.codebase.indexing.labor import Labor  # noqa: PLC0415

    labor = Labor()
    # Nothing here refers to itself in a circle, and looking for that took a tenth of the time.
    gc.disable()
    gc.freeze()

    def say(head: Mapping[str, Any], blobs: list[bytes]) -> None:
        for part in frame(head, blobs):
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()

    def ask(digests: Collection[str]) -> set[str]:
        say({"ask": list(digests)}, [])
        return set(orders.get()["known"])

    say({"ready": True}, [])
    while True:
        order = orders.get()
        files = [Wanted(*file) for file in order["files"]]
        say(*encode(labor.work(Path(order["root"]), files, order["model"], ask)))
        gc.collect()


if __name__ == "__main__":
    main()
