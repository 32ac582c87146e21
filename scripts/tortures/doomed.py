"""`python -m tortures.doomed HOME N FAULT`: a migration that is killed at each of its statements.

It forks for each run, so that a death costs little, and takes every N-th statement. One JSON line
for each: whether the run came to its end, and what was wrong after the next one. FAULT may be "".
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from tortures.planted import FAULTS
from undercroft.app.fleet import open_fleet
from undercroft.log import configure
from undercroft.settings import Settings

FIRST = 1
"""The version that every round starts from."""


def kill_at(number: int) -> None:
    """Kill this process with its n-th statement sent and not yet answered."""
    count = 0

    def arm(method: str) -> None:
        original = getattr(asyncpg.Connection, method)

        async def counted(self: Any, *args: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                asyncio.get_running_loop().call_later(0.0003, os.kill, os.getpid(), signal.SIGKILL)
            return await original(self, *args, **options)

        setattr(asyncpg.Connection, method, counted)

    for method in ("execute", "fetch", "fetchrow", "fetchval"):
        arm(method)


async def up(settings: Settings) -> None:
    """Bring everything to the newest version."""
    async with open_fleet(settings) as fleet:
        await fleet.up(await fleet.targets())


async def down(settings: Settings) -> None:
    """Take the projects back to the first version."""
    async with open_fleet(settings) as fleet:
        await fleet.down(await fleet.targets("project"), to=FIRST, force=True)


async def wrong(settings: Settings) -> list[str]:
    """The databases that differ from what the files make."""
    async with open_fleet(settings) as fleet:
        answers = await fleet.verify(await fleet.targets())
    return [
        json.dumps(answer.as_dict())[:300]
        for answer in answers
        if answer.result is None or not answer.result.valid
    ]


def in_fork(work: Callable[[], Any]) -> bool:
    """Whether the work came to its end in a process of its own."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def doomed(settings: Settings, number: int) -> None:
    """Bring everything up, and die of it."""
    kill_at(number)
    asyncio.run(up(settings))


def main() -> None:
    """Kill at the first statement, the one `stride` later …, until a run comes to its end."""
    configure("error", "json")
    if sys.argv[3]:
        FAULTS[sys.argv[3]].in_process()
    settings = Settings(home=Path(sys.argv[1]))
    stride = int(sys.argv[2])
    for number in range(1, 100_000, stride):
        asyncio.run(down(settings))
        finished = in_fork(partial(doomed, settings, number))
        asyncio.run(up(settings))
        found = {"number": number, "finished": finished, "wrong": asyncio.run(wrong(settings))}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
        if finished:
            break


if __name__ == "__main__":
    main()
