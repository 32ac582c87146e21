"""Key-encryption keys: which one wraps, and where the others are that still unwrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from undercroft.db.queries import load_queries
from undercroft.errors import Conflict, Forbidden, InvalidInput
from undercroft.secrets.providers import automatic, provider_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from undercroft.db.database import Database
    from undercroft.secrets.cipher import Key
    from undercroft.secrets.providers import Name, Provider
    from undercroft.settings import Settings

SQL = load_queries(__package__, "ring.sql")


class KeyRing:
    """The keys of one registry, each read from its provider once."""

    def __init__(self, registry: Database, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._known: dict[str, Key] = {}

    async def find(self, key_id: str) -> Key:
        """The key of that id.

        Raises:
            Forbidden: Its provider does not have it.

        """
        return self._known.get(key_id) or await self._ask(key_id)

    async def _ask(self, key_id: str) -> Key:
        name = await self._registry.fetch_value(SQL.get_key, key_id)
        # A registry that was made anew does not know it; a provider may.
        provider = self._provider(name or await self.chosen())
        key = await provider.find(key_id)
        if key is None:
            raise missing(key_id, provider.name)
        self._known[key_id] = key
        return key

    async def current_id(self) -> str | None:
        """The id of the key that wraps; None where there is none yet."""
        active = await self._registry.fetch_row(SQL.get_active)
        return None if active is None else active["id"]

    async def current(self, named: Sequence[str] = (), *, anew: bool = False) -> Key:
        """The key that wraps. Made on the very first use, and never in place of one that is gone.

        `named`: keys that the asking project's data keys name. `anew`: ask its provider, though it
        is known: what is wrapped under a key that is gone is lost with this process.

        Raises:
            Forbidden: There is one, and its provider does not have it.

        """
        active = await self._registry.fetch_row(SQL.get_active)
        if active is not None:
            return await (self._ask if anew else self.find)(active["id"])
        if named:
            # The registry was lost: what wraps here goes on.
            key = await self.find(named[0])
            await self._registry.execute(SQL.insert_key, key.id, await self.chosen())
            return await self.current()
        return await self._first()

    async def _first(self) -> Key:
        provider = self._provider(await self.chosen())
        offered = await provider.offer()
        taken = await self._registry.fetch_value(SQL.insert_key, offered.id, provider.name)
        if taken is None:
            # Before the winner's key is asked for, which may lie on another machine.
            if await self.current_id() != offered.id:
                await provider.withdraw(offered)
            return await self.current()
        self._known[offered.id] = offered
        return offered

    async def replace(self) -> Key:
        """Begin to wrap with another key, of the provider that the settings name.

        Raises:
            Conflict: It offers the same, or somebody else replaces it now.

        """
        active = await self._registry.fetch_row(SQL.get_active)
        if active is None:
            return await self._first()
        await self.find(active["id"])
        provider = self._provider(await self.chosen())
        offered = await provider.offer()
        if offered.id == active["id"]:
            raise Conflict(
                "The key provider offers the key that is in use.",
                hint="Give it a new key first, and keep the one in use among the older ones "
                "(UNDERCROFT_OLD_KEYS, or further lines of key_command).",
            )
        async with self._registry.transaction() as transaction:
            if await transaction.fetch_value(SQL.retire_key, active["id"]) is None:
                await provider.withdraw(offered)
                raise Conflict("Somebody else is replacing the key.", hint="Run it again later.")
            await transaction.fetch_value(SQL.activate_key, offered.id, provider.name)
        self._known[offered.id] = offered
        return offered

    async def facts(self) -> list[Mapping[str, Any]]:
        """Every key that was ever used (id, provider, retired_at), the one in use first."""
        return list(await self._registry.fetch(SQL.list_keys))

    async def chosen(self) -> Name:
        """The provider that the next key comes from."""
        chosen = self._settings.key_provider
        return await automatic() if chosen == "auto" else chosen

    def _provider(self, name: Name) -> Provider:
        folder = self._settings.key_folder.absolute()
        # As the system will find it: `..` and links may lead inside.
        if name == "file" and folder.resolve().is_relative_to(self._settings.home.resolve()):
            raise InvalidInput(
                "The key that protects secrets would lie beside them.",
                hint="Let UNDERCROFT_KEY_FOLDER name a folder outside of UNDERCROFT_HOME.",
            )
        return provider_named(name, folder, self._settings.key_command)


def missing(key_id: str, provider: str) -> Forbidden:
    """The error of a key that is named and not there."""
    return Forbidden(
        f"The key {key_id[:8]} that protects secrets is missing from its provider ({provider}).",
        hint="Bring it back: " + _BACK[provider] + " Without it no secret can be read, and another "
        "key would not help.",
        data={"key": key_id, "provider": provider},
    )


_BACK = {
    "file": "restore its file from a backup of UNDERCROFT_KEY_FOLDER.",
    "keyring": "unlock or restore the keyring of the user who stored the first secret.",
    "environment": "set UNDERCROFT_KEY to it, or add it to UNDERCROFT_OLD_KEYS.",
    "command": "let UNDERCROFT_KEY_COMMAND print it, if need be after the current one.",
}
