"""The server leaves when its client does, and loses no answer on its way out."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from undercroft.db.embedded import EmbeddedPostgres
from undercroft.settings import Settings

from .conftest import Obstacle, Process, Spawn, gone, until

Obstruct = Callable[[str, str], Awaitable[Obstacle]]
UPDATE = {"version": 1, "patch": {"status": "completed"}}

# A client that dies: it starts the server on pipes that outlive it, tells its id and waits.
CLIENT = """
import os, signal, subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=0, stdout=1, stderr=2)
os.write(2, b'{"event": "started", "pid": %d}\\n' % server.pid)
signal.pause()
"""


def serve(*before: str) -> list[str]:
    return [*before, sys.executable, "-m", "undercroft"]


async def record_in(server: Process, project: str) -> str:
    await server.initialize()
    await server.call("create_project", name=project)
    data = {"title": "one", "status": "pending"}
    made = await server.call("create_entity", type="task", data=data)
    return str(made["id"])


async def test_calls_in_flight_answer_after_the_end_of_input(
    spawn: Spawn, obstruct: Obstruct, project_name: str
) -> None:
    server = await spawn()
    record = await record_in(server, project_name)
    obstacle = await obstruct(f"project_{project_name}", record)
    number = await server.post_call("update_entity", id=record, **UPDATE)
    await obstacle.met()
    server.close_input()
    await server.logged("ending")
    await obstacle.lift()
    answer = await server.answer_to(number)
    assert answer["result"]["structuredContent"]["version"] == 2
    assert await server.ended() == 0


async def test_everything_sent_before_the_end_of_input_is_answered(spawn: Spawn) -> None:
    server = await spawn()
    await server.initialize()
    asked = [await server.post_call("list_projects") for _ in range(20)]
    asked += [await server.post("tools/list") for _ in range(20)]
    server.close_input()
    answers = [await server.next() for _ in asked]
    assert sorted(answer["id"] for answer in answers) == asked
    assert [a["result"] for a in answers if a["result"].get("isError")] == []
    assert await server.ended() == 0


async def test_a_call_that_never_ends_is_given_up_at_the_deadline(
    spawn: Spawn, obstruct: Obstruct, project_name: str
) -> None:
    server = await spawn("--shutdown-timeout", "0.3")
    record = await record_in(server, project_name)
    obstacle = await obstruct(f"project_{project_name}", record)
    await server.post_call("update_entity", id=record, **UPDATE)
    await obstacle.met()
    server.close_input()
    assert await server.ended() == 0
    # Its statement went with it, although the lock is still there.
    await obstacle.left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_lets_calls_finish_and_refuses_further_ones(
    spawn: Spawn, obstruct: Obstruct, project_name: str, number: signal.Signals
) -> None:
    server = await spawn()
    record = await record_in(server, project_name)
    obstacle = await obstruct(f"project_{project_name}", record)
    waiting = await server.post_call("update_entity", id=record, **UPDATE)
    await obstacle.met()
    os.kill(server.pid, number)
    await server.logged("ending")
    refused = await server.call("list_projects")
    assert (refused["code"], refused["retryable"]) == ("unavailable", True)
    await obstacle.lift()
    answer = await server.answer_to(waiting)
    assert answer["result"]["structuredContent"]["version"] == 2
    assert await server.ended() == 0


async def test_a_second_signal_ends_at_once(
    spawn: Spawn, obstruct: Obstruct, project_name: str
) -> None:
    server = await spawn("--shutdown-timeout", "600")
    record = await record_in(server, project_name)
    obstacle = await obstruct(f"project_{project_name}", record)
    await server.post_call("update_entity", id=record, **UPDATE)
    await obstacle.met()
    os.kill(server.pid, signal.SIGINT)
    await server.logged("ending")
    os.kill(server.pid, signal.SIGINT)
    assert await server.ended() == 1


async def test_nobody_reading_stdout_ends_the_server_although_it_says_nothing(
    spawn: Spawn,
) -> None:
    reading, writing = os.pipe()
    server = await spawn(stdout=writing)
    os.close(writing)
    await server.post("ping")
    assert (await asyncio.to_thread(os.read, reading, 1 << 16)).startswith(b'{"jsonrpc"')
    os.close(reading)
    assert (await server.logged("ending"))["reason"] == "pipe_closed"
    assert await server.ended() == 0


async def test_a_killed_client_takes_its_server_along_even_if_the_pipe_stays_open(
    spawn: Spawn,
) -> None:
    client = await spawn(command=[sys.executable, "-c", CLIENT, *serve()])
    server = int((await client.logged("started"))["pid"])
    await client.initialize()
    os.kill(client.pid, signal.SIGKILL)
    await gone(server)
    assert (await client.logged("ending"))["reason"] == "parent_gone"


async def test_a_killed_client_behind_a_wrapper_takes_its_server_along(spawn: Spawn) -> None:
    # `uvx undercroft` is a process that waits for another: the wrapper's parent is the client.
    wrapper = ["sh", "-c", '"$@"; true', "wrapper"]
    client = await spawn(command=[sys.executable, "-c", CLIENT, *wrapper, *serve()])
    shell = int((await client.logged("started"))["pid"])
    await client.initialize()
    (server,) = psutil.Process(shell).children()
    os.kill(client.pid, signal.SIGKILL)
    await gone(server.pid)
    await gone(shell)


async def test_a_killed_wrapper_takes_its_server_along(spawn: Spawn) -> None:
    shell = await spawn(command=["sh", "-c", '"$@"; true', "wrapper", *serve()])
    await shell.initialize()
    (server,) = psutil.Process(shell.pid).children()
    os.kill(shell.pid, signal.SIGKILL)
    await gone(server.pid)


async def test_after_a_killed_client_not_even_postgresql_is_left(
    spawn: Spawn, tmp_path: Path
) -> None:
    home = tmp_path / "own home"
    own = {"UNDERCROFT_HOME": str(home), "UNDERCROFT_DATABASE_URL": ""}
    client = await spawn(command=[sys.executable, "-c", CLIENT, *serve()], **own)
    server = int((await client.logged("started"))["pid"])
    await client.initialize()
    await client.call("list_projects")
    postmaster = (await EmbeddedPostgres(home).status()).pid
    assert postmaster is not None
    os.kill(client.pid, signal.SIGKILL)
    await gone(server)
    await gone(postmaster)


async def test_a_server_whose_event_loop_is_stuck_still_leaves(
    spawn: Spawn, tmp_path: Path, settings: Settings
) -> None:
    # The thread that watches needs no event loop: it waits out the deadline and ends the process.
    program = tmp_path / "stuck.py"
    program.write_text(
        "import asyncio, os, time\n"
        "from undercroft.mcp import lifetime\n"
        "lifetime.GRACE = 0.1\n"
        "async def main():\n"
        "    lifetime.Lifetime(0.1, client=True)\n"
        '    os.write(2, b\'{"event": "stuck"}\\n\')\n'
        "    time.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    client = await spawn(command=[sys.executable, "-c", CLIENT, sys.executable, str(program)])
    server = int((await client.logged("started"))["pid"])
    await client.logged("stuck")
    os.kill(client.pid, signal.SIGKILL)
    await gone(server)


async def test_a_cancelled_call_ends_its_statement_and_leaves_nothing_behind(
    spawn: Spawn, obstruct: Obstruct, project_name: str, connect: Callable[..., Awaitable[object]]
) -> None:
    server = await spawn()
    record = await record_in(server, project_name)
    obstacle = await obstruct(f"project_{project_name}", record)
    number = await server.post_call("update_entity", id=record, **UPDATE, idempotency_key="k")
    await obstacle.met()
    cancel = {"requestId": number, "reason": "enough"}
    await server.send({"method": "notifications/cancelled", "params": cancel})
    await obstacle.left()
    watcher = await connect(f"project_{project_name}")

    async def idle() -> bool:
        count = await watcher.fetchval(  # type: ignore[attr-defined]
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name LIKE 'undercroft%' AND state <> 'idle'"
        )
        return bool(count == 0)

    await until(idle)
    await obstacle.lift()
    # Neither the change nor the key happened: the same call may be made again.
    again = await server.call("update_entity", id=record, **UPDATE, idempotency_key="k")
    assert again["version"] == 2
    server.close_input()
    assert await server.ended() == 0
