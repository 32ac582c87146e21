"""Processes that do one thing and are killed in the midst of it, or do it all at once.

Run as a program: it imports everything once and forks, so that a death costs 0.1 s. It reads
one JSON order and writes one JSON answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from undercroft.app import App, open_app
from undercroft.db.schemas import Schemas
from undercroft.log import configure
from undercroft.settings import Settings

Job = Callable[[App, str], Awaitable[Any]]
STATEMENTS = ("execute", "fetch", "fetchrow", "fetchval")


async def make(app: App, name: str) -> Any:
    return (await (await app.projects("fork")).create(name)).state


async def archive(app: App, name: str) -> Any:
    return (await (await app.projects("fork")).archive(name)).state


async def restore(app: App, name: str) -> Any:
    return (await (await app.projects("fork")).restore(name)).state


async def drop(app: App, name: str) -> Any:
    await (await app.projects("fork")).drop(name)
    return "gone"


async def registry(app: App, _name: str) -> Any:
    return (await app.registry()).name


JOBS: dict[str, Job] = {
    "create": make,
    "archive": archive,
    "restore": restore,
    "drop": drop,
    "registry": registry,
    "template": make,
}
BEFORE: dict[str, tuple[Job, ...]] = {
    "archive": (make,),
    "restore": (make, archive),
    "drop": (make, archive),
}


def kill_at(number: int) -> None:
    """Kill this process as statement `number` from now on is sent: evenly before or during it."""
    count = 0

    def arm(method: str) -> None:
        original = getattr(asyncpg.Connection, method)

        async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == (number + 1) // 2:
                if number % 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                asyncio.get_running_loop().call_later(0.0005, os.kill, os.getpid(), signal.SIGKILL)
            return await original(self, *args, **kwargs)

        setattr(asyncpg.Connection, method, counted)

    for method in STATEMENTS:
        arm(method)


def fork(work: Callable[[], Any]) -> Callable[[], Any]:
    """Do the work in a process of its own; what waits for its answer (None: it was killed)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    os.close(writing)

    def answer() -> Any:
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) > 0:
            sys.exit(f"a fork failed: {os.waitstatus_to_exitcode(status)}")
        return json.loads(said) if said else None

    return answer


def run(settings: Settings, *jobs: Job, name: str = "") -> Any:
    async def work() -> Any:
        result = None
        async with open_app(settings) as app:
            for job in jobs:
                result = await job(app, name)
        return result

    return asyncio.run(work())


def doomed(settings: Settings, order: dict[str, Any], name: str, number: int) -> Any:
    async def work() -> Any:
        async with open_app(settings) as app:
            if order["job"] != "registry":
                await app.registry()
            kill_at(number)
            return await JOBS[order["job"]](app, name)

    return asyncio.run(work())


def use_template(name: str) -> None:
    async def template_name(_self: Schemas) -> str:
        return name

    setattr(Schemas, "template_name", template_name)  # noqa: B010 - mypy minds the plain way


def kill_each_step(settings: Settings, order: dict[str, Any]) -> list[dict[str, Any]]:
    """Kill at the first statement, the second …, until one lives; after each, look and mend."""
    seen = []
    for number in range(order["first"], 1000, order["stride"]):
        name = f"{order['prefix']}{number}"
        own = settings
        if order["job"] == "registry":
            own = replace(settings, registry_database=f"{settings.registry_database}_{number}")
        if order["job"] == "template":
            use_template(f"undercroft_template_{name}")
        if before := BEFORE.get(order["job"]):
            run(own, *before, name=name)
        answer = fork(partial(doomed, own, order, name, number))()
        left = asyncio.run(look(own, name))
        mended = asyncio.run(mend(own, order, name))
        killed = answer is None
        seen.append({"number": number, "killed": killed, "left": left, "mended": mended})
        if not killed:
            break
    return seen


async def connect(settings: Settings, database: str) -> asyncpg.Connection:
    from undercroft.app.ground import source_of

    source, maintenance = source_of(settings)
    address = await source.address()
    return await asyncpg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=database or maintenance,
        **address.parameters,
    )


async def look(settings: Settings, name: str) -> list[Any]:
    """State of a project in the registry, whether its database exists, whether it lets us in."""
    admin = await connect(settings, "")
    found = await admin.fetchrow(
        "SELECT datallowconn AND datconnlimit <> -2 AS open FROM pg_database WHERE datname = $1",
        f"project_{name}",
    )
    state = None
    if await admin.fetchval(
        "SELECT count(*) FROM pg_database WHERE datname = $1", settings.registry_database
    ):
        inside = await connect(settings, settings.registry_database)
        if await inside.fetchval("SELECT to_regclass('public.projects') IS NOT NULL"):
            state = await inside.fetchval("SELECT state FROM projects WHERE name = $1", name)
        await inside.close()
    await admin.close()
    return [state, found is not None, bool(found and found["open"])]


async def mend(settings: Settings, order: dict[str, Any], name: str) -> list[Any]:
    """What a new server makes of it: by itself, and then by the same call again."""
    async with open_app(settings) as app:
        await app.registry()
        await app.started.provisioner.reconcile()
        by_itself = await look(settings, name)
        if order["job"] in ("create", "template"):
            await make(app, name)
            database = (await app.open(name)).database
            await database.fetch_text("SELECT FROM workflow.entity_schemas")
        if order["job"] == "restore":
            await restore(app, name)
    return [by_itself, await look(settings, name)]


def all_at_once(settings: Settings, order: dict[str, Any]) -> list[dict[str, Any]]:
    """Do one job in many processes that start at the same moment."""
    reading, writing = os.pipe()

    def work(number: int) -> Callable[[], Any]:
        name = order["prefix"] + (str(number) if order.get("each") else "")

        def do() -> Any:
            os.close(writing)
            os.read(reading, 1)
            began = time.monotonic()
            answer = run(settings, JOBS[order["job"]], name=name)
            return {"answer": answer, "began": began, "ended": time.monotonic()}

        return do

    if order["job"] == "template":
        use_template(f"undercroft_template_{order['prefix']}")
    forks = [fork(work(number)) for number in range(order["processes"])]
    os.close(reading)
    os.close(writing)
    return [answer() for answer in forks]


if __name__ == "__main__":
    configure("error", "json")
    given = json.load(sys.stdin)
    chosen = Settings(
        home=Path(given["home"]),
        database_url=given["database_url"],
        registry_database=given["registry"],
        toolsets="all",
    )
    action = all_at_once if "processes" in given else kill_each_step
    print(json.dumps(action(chosen, given)))
