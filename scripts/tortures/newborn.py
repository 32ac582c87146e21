"""A server that indexes one folder, and says what came of it in lines of JSON."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tortures.birth import say
from undercroft.app import open_app
from undercroft.codebase import walking
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.codebase.indexing.labor import Labor
from undercroft.codebase.service import Codebase
from undercroft.errors import UndercroftError
from undercroft.settings import Settings

LOADED = (walking, Labor())
"""What the product loads on first use, loaded once for all."""

PAUSE = 0.02
"""Seconds between two runs of a server."""


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
