"""Values on every way through the command line, right and wrong, with a terminal and without."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tortures.scratch import Scratch
from tortures.secret_tools import Told

AT_ONCE = 2
PATIENCE = 120.0
"""Commands at a time, and seconds for one."""


@dataclass(kw_only=True)
class Command:
    """One command line with what it reads.

    `allowed`: a value that it may show. `mended`: whether it has no reason for a mistake.
    """

    words: Sequence[str]
    given: str = ""
    allowed: str = ""
    terminal: bool = False
    mended: bool = True


@dataclass(kw_only=True)
class CommandLine:
    """Runs commands in a folder of the project, and keeps what they say."""

    place: Scratch
    told: Told
    project: str
    folder: Path

    async def run(self, command: Command) -> None:
        """Run one command, and keep what it says for the search."""
        async with asyncio.timeout(PATIENCE):
            said = await (self._typed if command.terminal else self._piped)(command)
        if command.allowed:
            self.told.allowed += command.allowed.encode() in said
            said = said.replace(command.allowed.encode(), b"")
        self.told.answers += 1
        if b"Traceback" in said and command.mended:
            self.told.wrong.append(f"{command.words}: {said[-200:]!r}")
        with (self.told.folder / "commands.answers").open("ab") as file:
            file.write(said)

    async def all(self, commands: Sequence[Command]) -> None:
        """Run them all, a few at a time."""
        room = asyncio.Semaphore(AT_ONCE)

        async def one(command: Command) -> None:
            async with room:
                await self.run(command)

        await asyncio.gather(*(one(command) for command in commands))

    def _line(self, command: Command) -> list[str]:
        fault = self.place.fault
        module = ["tortures.planted", fault] if fault else ["undercroft"]
        return [sys.executable, "-m", *module, *command.words]

    @property
    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "UNDERCROFT_HOME": str(self.place.home),
            "UNDERCROFT_KEY_FOLDER": str(self.place.keys),
            "UNDERCROFT_PROJECT": self.project,
            "UNDERCROFT_LOG_LEVEL": "debug",
        }

    async def _piped(self, command: Command) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._line(command),
            cwd=self.folder,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self.place.started.append(process.pid)
        said, _ = await process.communicate(command.given.encode("utf-8", "surrogateescape"))
        return said

    async def _typed(self, command: Command) -> bytes:
        """With a terminal, whose echo a prompt for a value switches off."""
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *self._line(command),
            cwd=self.folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.place.started.append(process.pid)
        said = await asyncio.to_thread(_converse, ours, command.given.encode())
        await process.wait()
        return said


def _converse(terminal: int, answer: bytes) -> bytes:
    """Type the answer once a question stands there; all that was shown."""
    said = b""
    with suppress(OSError):  # how a terminal says that nobody is left
        while piece := os.read(terminal, 1 << 16):
            said += piece
            if answer and said.rstrip().endswith(b":"):
                os.write(terminal, answer + b"\n")
                answer = b""
    os.close(terminal)
    return said


def first(told: Told, many: int) -> list[Command]:
    """Commands that bring values in, or fail to."""
    secret = ("secret",)
    lines = [f"I{number}={told.fresh()}" for number in range(many)]
    return [
        Command(words=[*secret, "set", "T1"], given=told.fresh()),
        Command(words=[*secret, "import", "-"], given="\n".join(lines)),
        Command(words=[*secret, "set", "T2"], given=told.fresh(), terminal=True),
        Command(words=[*secret, "set", "PATH"], given=told.fresh()),
        Command(words=[*secret, "set", "T3", "--kind", "ssh_key"], given=told.fresh()),
        Command(words=[*secret, "set", "BAD1"], given=told.fresh(), mended=False),
        Command(words=[*secret, "set", "T4"], given=told.fresh() + "x" * 70_000),
        Command(words=[*secret, "set", "T4"], given=told.fresh() + "\0"),
        Command(words=[*secret, "set", "T4"], given=told.fresh() + "\udcff"),
        Command(words=[*secret, "import", "-"], given=f"A={told.fresh()}\n{told.fresh()}\n"),
        Command(words=[*secret, "import", "-"], given=f"A={told.fresh()}\nB='{told.fresh()}"),
        Command(words=[*secret, "import", "-"], given=f"A={told.fresh()}\nPATH={told.fresh()}"),
        Command(words=["call", "store_secret", "-"], given=told.fresh()),
    ]


def then(shown: str) -> list[Command]:
    """Commands that use, show and turn what is there: T1 is `shown`."""
    secret = ("secret",)
    echo = 'printf %s "$T1"; printf %s "$T1" | base64; printf %s "$T1" >&2; exit 3'
    return [
        Command(words=["run", "--only", "T1", "--", "sh", "-c", echo]),
        Command(words=["run", "--", "env"]),
        Command(words=["run", "--only", "T1", "--", "env"], terminal=True),
        Command(words=["run", "--only", "NONE", "--", "env"]),
        Command(words=["run", "--", "no-such-program"]),
        Command(words=[*secret, "inject", "template", "-o", "filled"]),
        Command(words=[*secret, "inject", "template"]),
        Command(words=[*secret, "inject", "broken", "-o", "filled"]),
        Command(words=[*secret, "show", "T1"]),
        Command(words=[*secret, "show", "T1"], terminal=True, allowed=shown),
        Command(words=[*secret, "allow", "T1"]),
        Command(words=[*secret, "allow", "T1"], given="no", terminal=True),
        Command(words=[*secret, "generate", "GEN", "--kind", "password"]),
        Command(words=[*secret, "rotate", "GEN"]),
        Command(words=[*secret, "rotate", "T1"]),
        Command(words=[*secret, "list"]),
        Command(words=[*secret, "log"]),
        Command(words=[*secret, "log", "--verify"]),
        Command(words=[*secret, "templates"]),
        Command(words=[*secret, "delete", "T2"]),
        Command(words=[*secret, "restore", "T2"]),
        Command(words=[*secret, "rotate-key", "--data"]),
        Command(words=[*secret, "rotate-key", "--master"]),
        Command(words=["call", "get_secret", "--name", "T1"]),
        Command(words=["doctor"]),
    ]


async def through_commands(line: CommandLine, many: int, *, part: bool) -> None:
    """Every command, or a few of them."""
    told = line.told
    (line.folder / "template").write_text("key={{ T1 }}\n")
    (line.folder / "broken").write_text("key={{ NONE }} {{ T1 }}\n")
    entering = first(told, many)
    shown = entering[0].given
    using = then(shown)
    await line.run(entering[0])
    if part:
        entering, using = entering[:2], using[:: len(using) // 3]
    await line.all(entering[1:])
    await line.all(using)
    # The one file that is meant to hold a value.
    filled = line.folder / "filled"
    if filled.exists():
        told.allowed += shown in filled.read_text()
