"""Keys that a program prints: `op read …`, `vault kv get …`, `security find-generic-password …`."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from undercroft.errors import InvalidInput, Unavailable
from undercroft.secrets.providers import keys_of

if TYPE_CHECKING:
    from undercroft.secrets.cipher import Key
    from undercroft.secrets.providers import Name

PATIENCE = 60.0
"""Seconds that the program has: it may ask a person for a fingerprint."""
MOST = 64 * 1024
"""Bytes of its output."""


class Command:
    """The first key that it prints wraps; further ones still unwrap."""

    name: Name = "command"

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError:
            raise InvalidInput("key_command has a quote that is not closed.") from None

    async def find(self, key_id: str) -> Key | None:
        """The key of that id, if the program prints it."""
        return next((key for key in await self._printed() if key.id == key_id), None)

    async def offer(self) -> Key:
        """The first key that it prints.

        Raises:
            InvalidInput: It prints none, or no command is set.
            Unavailable: It failed, did not end in time, or printed too much.

        """
        keys = await self._printed()
        if not keys:
            raise InvalidInput("key_command prints no key.")
        return keys[0]

    async def withdraw(self, key: Key) -> None:
        """Nothing was made."""

    async def _printed(self) -> list[Key]:
        if not self._words:
            raise InvalidInput(
                "key_provider is `command`, and key_command is empty.",
                hint="Set UNDERCROFT_KEY_COMMAND, for example to: op read op://vault/item/key",
            )
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                # It may say more than it should, and our log is no place for it.
                stderr=asyncio.subprocess.DEVNULL,
                limit=MOST,
            )
        except OSError:
            raise _failed("could not be started") from None
        return keys_of(await _output(process), "key_command")


async def _output(process: asyncio.subprocess.Process) -> str:
    stream = process.stdout
    if stream is None:
        raise _failed("has no output")
    printed = b""
    try:
        async with asyncio.timeout(PATIENCE):
            # A read gives what is there by then; two keys may be printed seconds apart.
            while piece := await stream.read(MOST):
                printed += piece
                if len(printed) > MOST:
                    raise _failed(f"prints more than {MOST} bytes")
            status = await process.wait()
    except TimeoutError:
        raise _failed(f"did not end within {PATIENCE:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if status != 0:
        raise _failed(f"ended with exit status {status}")
    return printed.decode("utf-8", "replace")


def _failed(how: str) -> Unavailable:
    return Unavailable(f"key_command {how}.", hint="Run it by hand in the server's environment.")
