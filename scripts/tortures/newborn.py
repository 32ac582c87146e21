"""A server that indexes one folder, and says what came of it in lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import resource
from pathlib import Path
from typing import Any

from undercroft.app import open_app
from undercroft.codebase import walking
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.service import Codebase
from undercroft.errors import UndercroftError
from undercroft.settings import Settings

LOADED = (walking,)
"""What the product loads on first use, loaded once for all."""

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
