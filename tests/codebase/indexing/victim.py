"""A server that indexes a folder and is killed as it sends its n-th statement.

Run as a program: it imports everything once and forks, so that a death costs little. It reads one
JSON order and writes, for each death, a line of JSON; a 0 ends it: that fork lived to the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import asyncpg

from undercroft.app import open_app
from undercroft.codebase.indexing import labor
from undercroft.codebase.indexing.indexer import Indexer
from undercroft.log import configure
from undercroft.offers import BUILTIN, EmbeddingOffer
from undercroft.settings import Settings

STATEMENTS = ("execute", "fetch", "fetchrow", "fetchval", "copy_to_table")


def kill_at(number: int) -> None:
    """Kill this process as statement `number` from now on is sent: evenly before or during it."""
    count = 0

    def arm(method: str) -> None:
        original = getattr(asyncpg.Connection, method)

        async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                if number % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                asyncio.get_running_loop().call_later(0.0005, os.kill, os.getpid(), signal.SIGKILL)
            return await original(self, *args, **kwargs)

        setattr(asyncpg.Connection, method, counted)

    for method in STATEMENTS:
        arm(method)


async def work(settings: Settings, order: dict[str, Any], number: int) -> None:
    async with open_app(settings) as app:
        opened = await app.open(order["project"])
        indexer = Indexer(opened.database, app.started.models, batch_files=4)
        kill_at(number)
        await indexer.index(Path(order["root"]))
        await indexer.settled()


def fork(settings: Settings, order: dict[str, Any], number: int) -> int:
    """The signal that ended it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            asyncio.run(work(settings, order, number))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) > 0:
        sys.exit("a fork failed")
    return os.WTERMSIG(status)


if __name__ == "__main__":
    configure("error", "json")
    given = json.load(sys.stdin)
    chosen = Settings(
        home=Path(given["home"]),
        database_url=given["database_url"],
        registry_database=given["registry"],
        embedding_models=tuple(EmbeddingOffer(**offer) for offer in given.get("offers", ())),
        embedding=given.get("embedding", BUILTIN),
    )
    labor.Labor()
    for number in given["numbers"]:
        print(json.dumps(fork(chosen, given, number)), flush=True)
