"""A process that is forked, and tells what happens to it in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undercroft.settings import Settings

Life = Callable[["Settings", dict[str, Any]], Coroutine[Any, Any, None]]
"""What a process does, by its order."""


def say(**what: Any) -> None:
    """One line, in one piece."""
    os.write(1, json.dumps({"pid": os.getpid()} | what).encode() + b"\n")


def born(serve: Life, settings: Settings, order: dict[str, Any]) -> int:
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
