"""Keys in the keyring of the operating system: Keychain, Credential Locker, Secret Service."""

from __future__ import annotations

import asyncio
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from undercroft.errors import Unavailable
from undercroft.secrets.cipher import Key
from undercroft.secrets.providers import keys_of

if TYPE_CHECKING:
    from undercroft.secrets.providers import Name

T = TypeVar("T")

SERVICE = "undercroft"
PATIENCE = 60.0
"""Seconds for an answer: the system may ask a person to unlock it."""
LOOK = 10.0
"""Seconds to find out whether there is one."""
_UNREAL = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt", "keyrings.cryptfile")
"""What is no keyring of the system: it fails, forgets, or keeps plain files."""


class SystemKeyring:
    """An entry per key, named by its id."""

    name: Name = "keyring"

    async def find(self, key_id: str) -> Key | None:
        """The key of that id."""
        text = await asked(lambda: _backend().get_password(SERVICE, key_id), PATIENCE)
        keys = keys_of(text or "", "The keyring")
        return next((key for key in keys if key.id == key_id), None)

    async def offer(self) -> Key:
        """A new key in a new entry, read back before it is trusted."""
        key = Key.random()
        text = b64encode(key.material).decode()
        await asked(lambda: _backend().set_password(SERVICE, key.id, text), PATIENCE)
        if await self.find(key.id) is None:
            raise Unavailable("The system's keyring did not keep the key.", hint=_MEND)
        return key

    async def withdraw(self, key: Key) -> None:
        """Remove its entry."""
        with suppress(Unavailable):
            await asked(lambda: _backend().delete_password(SERVICE, key.id), PATIENCE)


async def has_keyring() -> bool:
    """Whether the system has a real keyring."""
    try:
        return await asked(lambda: _is_real(_backend()), LOOK)
    except Unavailable:
        return False


def _backend() -> Any:
    import keyring  # noqa: PLC0415 - a dozen modules, and it looks for every backend

    return keyring.get_keyring()


def _is_real(backend: Any) -> bool:
    """Of several chained, the first is asked first: it has to be real."""
    chained = getattr(backend, "backends", None)
    if chained is not None:
        first = next(iter(chained), None)
        return first is not None and _is_real(first)
    return not type(backend).__module__.startswith(_UNREAL)


async def asked(question: Callable[[], T], patience: float) -> T:
    """What the keyring says; its calls block, and may wait for a person for ever.

    A thread of its own, which nobody waits for at the end of the process.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[Any], None], what: Any) -> None:
        if not answer.done():
            settle(what)

    def ask() -> None:
        try:
            outcome = (answer.set_result, question())
        except Exception:  # noqa: BLE001 - each backend has errors of its own, and they may tell too much
            outcome = (answer.set_exception, _unusable())  # type: ignore[assignment]
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(tell, *outcome)

    threading.Thread(target=ask, daemon=True, name="keyring").start()
    try:
        async with asyncio.timeout(patience):
            return await answer
    except TimeoutError:
        raise Unavailable("The system's keyring does not answer.", hint=_MEND) from None


def _unusable() -> Unavailable:
    return Unavailable("The system's keyring cannot be used.", hint=_MEND)


_MEND = "Unlock it, or choose another place by UNDERCROFT_KEY_PROVIDER=file."
