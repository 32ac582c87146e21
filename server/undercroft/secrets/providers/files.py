"""Keys in files of their own, one each, that nobody else can read."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from base64 import b64encode
from typing import TYPE_CHECKING

from undercroft.errors import Forbidden, Unavailable
from undercroft.secrets.cipher import Key
from undercroft.secrets.providers import keys_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from undercroft.secrets.providers import Name

_ID = re.compile(r"[0-9a-f]{32}")
MOST = 4096
"""Bytes of a file."""


class KeyFiles:
    """A folder with a file per key, `<id>.key`, which is made whole or not at all."""

    name: Name = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def find(self, key_id: str) -> Key | None:
        """The key of that id.

        Raises:
            Forbidden: The file or folder is somebody else's, a link, or open to others.

        """
        return await asyncio.to_thread(self._read, key_id)

    async def offer(self) -> Key:
        """A new key in a new file."""
        return await asyncio.to_thread(self._make)

    async def withdraw(self, key: Key) -> None:
        """Remove its file."""
        await asyncio.to_thread((self._folder / f"{key.id}.key").unlink, missing_ok=True)

    def _read(self, key_id: str) -> Key | None:
        if not _ID.fullmatch(key_id):
            return None
        try:
            _refuse_unsafe(os.lstat(self._folder), "folder", stat.S_ISDIR)
            opened = os.open(self._folder / f"{key_id}.key", os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError:
            raise Forbidden(
                "The file of the key that protects secrets cannot be read.",
                hint="UNDERCROFT_KEY_FOLDER has it; it must be a plain file of your own.",
            ) from None
        with os.fdopen(opened, "rb") as file:
            _refuse_unsafe(os.fstat(file.fileno()), "file", stat.S_ISREG)
            keys = keys_of(file.read(MOST).decode("utf-8", "replace"), "The key's file")
        return next((key for key in keys if key.id == key_id), None)

    def _make(self) -> Key:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_unsafe(os.lstat(self._folder), "folder", stat.S_ISDIR)
            key = Key.random()
            self._write(key)
        except OSError as error:
            raise Unavailable(
                "The key that protects secrets cannot be written to its folder.",
                hint=f"UNDERCROFT_KEY_FOLDER names it: {error.strerror}.",
            ) from None
        return key

    def _write(self, key: Key) -> None:
        """To disk before anything is encrypted under it: a power cut must not take it alone."""
        path, unfinished = self._folder / f"{key.id}.key", self._folder / f"{key.id}.new"
        opened = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(opened, "wb") as file:
            file.write(b64encode(key.material) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _refuse_unsafe(found: os.stat_result, what: str, is_right: Callable[[int], bool]) -> None:
    if not is_right(found.st_mode):
        raise Forbidden(f"The key's {what} is a link or something else.", hint=_MEND)
    if found.st_uid != os.geteuid():
        raise Forbidden(f"The key's {what} belongs to another user.", hint=_MEND)
    if found.st_mode & 0o077:
        raise Forbidden(f"Others can open the key's {what}.", hint=_MEND)


_MEND = (
    "UNDERCROFT_KEY_FOLDER names the folder: it is to be your own with mode 700, its files 600. "
    "If others could read a key, run `undercroft secret rotate-key --master` afterwards."
)
