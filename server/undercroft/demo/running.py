"""What the demonstration starts: a server on a port of its own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from undercroft.demo.script import Play
    from undercroft.demo.stage import Stage

TALK = 'echo "port $SHOP_PORT, key $SHOP_KEY"; printf %s "shop:$SHOP_KEY" | base64'
"""A command that says too much, plainly and as an HTTP header does."""


async def show_ports(play: Play) -> None:
    """Two worktrees want to run the same service at once."""
    play.transcript.step("Ports: two worktrees run the same service, and never collide")
    here = await play.call("allocate_port", service=["web", "db"], worktree="main")
    there = await play.call("allocate_port", service="web", worktree="fix-login")
    again = await play.call("allocate_port", service="web", worktree="main")
    port = here["ports"]["web"]
    play.promise(
        len({port, here["ports"]["db"], there["ports"]["web"]}) == 3  # noqa: PLR2004 - each its own
        and again["ports"]["web"] == port,
        f"each has its own, and main has {port} again",
    )
    async with await asyncio.start_server(_hang_up, "127.0.0.1", port):
        seen = await play.call("check_ports", service=["web"])
    alive = {one["worktree"]: one["state"] for one in seen["result"]}
    play.promise(
        alive == {"main": "listening", "fix-login": "silent"},
        "what listens is seen, with its process",
    )


async def show_child(play: Play, stage: Stage) -> None:
    """A command uses a secret that the conversation never sees."""
    play.transcript.step("Secrets: a command uses one, and nobody sees it")
    await play.call("generate_secret", name="SHOP_KEY")
    given = await play.call("allocate_port", service="shop", worktree=str(stage.folder))
    play.transcript.call("undercroft run", {"--": f"sh -c '{TALK}'"})
    status, said = await stage.command(play.project, "run", "--", "sh", "-c", TALK)
    for line in said.splitlines():
        play.transcript.say(f"     {line}", "dim")
    play.promise(
        status == 0
        and f"port {given['ports']['shop']}, key ***SHOP_KEY***\n" in said
        and said.count("***SHOP_KEY***") == 2,  # noqa: PLR2004 - bare, and in base64
        "it had the key and the port, and its output shows the key's name, in base64 too",
    )


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()
