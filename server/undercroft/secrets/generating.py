"""Values that the server makes; nobody has seen them."""

from __future__ import annotations

import re
import secrets
import string
from typing import TYPE_CHECKING

from undercroft.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from undercroft.secrets.models import Generation

_MARKS = "!#%+,-./:=@^_~"
"""Marks that mean nothing inside quotes of a shell or a .env."""
_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, _MARKS)
SHORTEST, LONGEST = 16, 1024
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s:/@]+:\{\}@\S+")


def generated(how: Generation) -> str:
    """A new value.

    Raises:
        InvalidInput: The length is not allowed, or `around` has no one place for it.

    """
    if not SHORTEST <= how.length <= LONGEST:
        raise InvalidInput(f"A generated value has {SHORTEST} to {LONGEST} characters.")
    if how.generator == "database_url" and not _URL.fullmatch(how.around):
        raise InvalidInput(
            "A database_url is made around its password.",
            hint="Give around, for example postgresql://app:{}@localhost:5432/app.",
        )
    made = _GENERATORS[how.generator](how.length)
    if not how.around:
        return made
    if how.around.count("{}") != 1:
        raise InvalidInput("around has one {} where the generated value goes.")
    return how.around.replace("{}", made)


def _token(length: int) -> str:
    return secrets.token_urlsafe(length)[:length]


def _password(length: int) -> str:
    """At least one of each class; the rest, and the order, at random."""
    every = "".join(_CLASSES)
    while True:
        made = "".join(secrets.choice(every) for _ in range(length))
        if all(any(one in made for one in kind) for kind in _CLASSES):
            return made


def _hex(length: int) -> str:
    return secrets.token_hex((length + 1) // 2)[:length]


def _ssh_key(_length: int) -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - 40 ms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PrivateKey,
    )

    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )


_GENERATORS: Mapping[str, Callable[[int], str]] = {
    "token": _token,
    "password": _password,
    "hex": _hex,
    "database_url": _token,
    "ssh_key": _ssh_key,
}
