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
    """Keys in base64, separated by commas or white space.

    Raises:
        InvalidInput: One is not 32 bytes in base64; it is not repeated.

    """
    from base64 import b64decode  # noqa: PLC0415 - with the key itself

    from undercroft.secrets.cipher import KEY_BYTES, Key  # noqa: PLC0415

    keys = []
    for word in text.replace(",", " ").split():
        try:
            material = b64decode(word.encode(), altchars=b"-_" if set("-_") & set(word) else None)
        except ValueError:
            material = b""
        if len(material) != KEY_BYTES:
            raise InvalidInput(
                f"{where} does not give keys of 32 bytes in base64.",
                hint="`openssl rand -base64 32` makes one.",
            )
        keys.append(Key(material))
    return keys
