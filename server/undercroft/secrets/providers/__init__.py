"""Where key-encryption keys are kept: none of it is a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from undercroft.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from undercroft.secrets.cipher import Key

Name = Literal["keyring", "file", "environment", "command"]


class Provider(Protocol):
    """Something that holds keys by their ids."""

    name: Name

    async def find(self, key_id: str) -> Key | None:
        """The key of that id, or None where it is not there.

        Raises:
            Unavailable: It did not answer in time.
            Forbidden: What holds the keys is not safe.

        """

    async def offer(self) -> Key:
        """A key to wrap with from now on: a new one, or the one that a person has given.

        Raises:
            InvalidInput: A person gives its keys and has given none.

        """

    async def withdraw(self, key: Key) -> None:
        """Take back an offer of a moment ago that nobody took up."""


def provider_named(name: Name, folder: Path, command: str) -> Provider:
    """The provider of that name."""
    # Each on first use: the keyring alone loads a dozen modules.
    if name == "keyring":
        from undercroft.secrets.providers.system import SystemKeyring  # noqa: PLC0415

        return SystemKeyring()
    if name == "environment":
        from undercroft.secrets.providers.environment import Environment  # noqa: PLC0415

        return Environment()
    if name == "command":
        from undercroft.secrets.providers.command import Command  # noqa: PLC0415

        return Command(command)
    from undercroft.secrets.providers.files import KeyFiles  # noqa: PLC0415

    return KeyFiles(folder)


async def automatic() -> Name:
    """The system's keyring where there is a real one, else files."""
    from undercroft.secrets.providers.system import has_keyring  # noqa: PLC0415

    return "keyring" if await has_keyring() else "file"


def keys_of(text: str, where: str) -> list[Key]:
    """Keys in base64 or hexadecimal digits, separated by commas or white space.

    Raises:
        InvalidInput: One is not 32 bytes in either; it is not repeated.

    """
    from undercroft.secrets.cipher import Key  # noqa: PLC0415 - the cheap half of it

    keys = []
    for word in text.replace(",", " ").split():
        material = _bytes_of(word)
        if material is None:
            raise InvalidInput(
                f"{where} does not give keys of 32 bytes in base64.",
                hint="`openssl rand -base64 32` makes one.",
            )
        keys.append(Key(material))
    return keys


def _bytes_of(word: str) -> bytes | None:
    """32 bytes; hexadecimal digits would be 48 in base64, so neither is taken for the other."""
    from base64 import b64decode  # noqa: PLC0415 - with the key itself

    from undercroft.secrets.cipher import KEY_BYTES  # noqa: PLC0415 - as above

    try:
        if len(word) == 2 * KEY_BYTES:
            return bytes.fromhex(word)
        material = b64decode(word.translate(_STANDARD), validate=True)
    except ValueError:
        return None
    return material if len(material) == KEY_BYTES else None


_STANDARD = str.maketrans("-_", "+/")
"""From the URL's alphabet of base64 to the usual one."""
