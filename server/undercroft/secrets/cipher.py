"""Envelope encryption: AES-256-GCM, every ciphertext bound to its place.

Two kinds of keys, both of 256 random bits. A *data key* encrypts the values of one project; a
*key-encryption key* (KEK) wraps data keys. Associated data, which is authenticated and not
stored, names the place of each ciphertext: what was moved elsewhere does not decrypt. Nonces
are 96 random bits, for which NIST SP 800-38D (8.3) bounds a key to 2^32 encryptions.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, NamedTuple

from undercroft.errors import Forbidden

if TYPE_CHECKING:
    from uuid import UUID

KEY_BYTES = 32
NONCE_BYTES = 12
BLOCK = 64
"""Values are padded to a multiple of so many bytes: a ciphertext tells no more of the length."""
MAX_ENCRYPTIONS = 2**31
"""Of one data key, before another takes its place: half of NIST's bound, since encryptions that
were never stored are not counted."""


class Damaged(Forbidden):
    """What was encrypted is not as it was, or not where it was; another key would not help."""


class Place(NamedTuple):
    """Where a ciphertext belongs."""

    project: str
    """Name of the project's database, which never changes."""
    name: str
    version: int
    key: UUID

    @property
    def bound(self) -> bytes:
        """Associated data of a value."""
        return _encoded("value", self.project, self.name, str(self.version), str(self.key))


class Sealed(NamedTuple):
    """What the database keeps of a value."""

    nonce: bytes
    ciphertext: bytes
    fingerprint: str


class Key:
    """256 bits that encrypt and decrypt; what is derived from them is made once."""

    __slots__ = ("_derived", "_material", "_sealer")

    def __init__(self, material: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 40 ms

        if len(material) != KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        self._material = material
        self._sealer = AESGCM(material)
        self._derived: dict[bytes, bytes] = {}

    @classmethod
    def random(cls) -> Key:
        """A new key."""
        return cls(os.urandom(KEY_BYTES))

    @property
    def id(self) -> str:
        """32 hexadecimal digits that name the key; its 256 bits cannot be guessed from them."""
        return hashlib.sha256(b"undercroft key id\0" + self._material).hexdigest()[:32]

    @property
    def material(self) -> bytes:
        """The key itself, for its provider alone."""
        return self._material

    def seal(self, value: str, place: Place) -> Sealed:
        """Encrypt a value for its place."""
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = self._sealer.encrypt(nonce, _padded(value.encode()), place.bound)
        return Sealed(nonce, ciphertext, self._fingerprint(place.name, value))

    def open(self, nonce: bytes, ciphertext: bytes, place: Place) -> str:
        """The value of a ciphertext.

        Raises:
            Damaged: It was changed, belongs elsewhere, or is another key's.

        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - 40 ms

        try:
            return _unpadded(self._sealer.decrypt(nonce, ciphertext, place.bound)).decode()
        except (InvalidTag, ValueError):
            raise Damaged(
                f"The secret {place.name} does not decrypt: its row was changed or moved.",
                hint="Restore it from a backup, or store it again.",
            ) from None

    def wrap(self, key: Key, project: str, key_id: UUID) -> bytes:
        """A data key under this one: nonce, ciphertext, tag (60 bytes)."""
        nonce = os.urandom(NONCE_BYTES)
        bound = _encoded("key", project, str(key_id), self.id)
        return nonce + self._sealer.encrypt(nonce, key.material, bound)

    def unwrap(self, wrapped: bytes, project: str, key_id: UUID) -> Key:
        """The data key that this one has wrapped.

        Raises:
            Damaged: It was changed, or belongs elsewhere.

        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - 40 ms

        bound = _encoded("key", project, str(key_id), self.id)
        try:
            return Key(self._sealer.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound))
        except (InvalidTag, ValueError):
            raise Damaged(
                "The project's data key does not decrypt: its row was changed or moved.",
                hint="Restore vault.encryption_keys from a backup.",
            ) from None

    def blind(self, text: str) -> str:
        """A keyed digest (HMAC-SHA256, 64 hexadecimal digits): equal for equal texts.

        Without the key nobody can try texts against it.
        """
        return self._hmac(b"undercroft blinding", text.encode())

    def _fingerprint(self, name: str, value: str) -> str:
        """16 hexadecimal digits of a value under its name.

        Whoever may store a value sees its fingerprint: were it the same under every name, they
        could try guesses of a secret under a name of their own.
        """
        return self._hmac(b"undercroft fingerprint", _encoded(name, value))[:16]

    def _hmac(self, purpose: bytes, message: bytes) -> str:
        """HMAC-SHA256 with a key that HKDF derives for the purpose."""
        if purpose not in self._derived:
            self._derived[purpose] = self._derive(purpose)
        return hmac.new(self._derived[purpose], message, hashlib.sha256).hexdigest()

    def _derive(self, purpose: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - 40 ms
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 - 40 ms

        hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose)
        return hkdf.derive(self._material)

    def __repr__(self) -> str:
        return f"Key({self.id})"


def _encoded(*parts: str) -> bytes:
    """The parts, each behind its length: no two lists have the same encoding."""
    encoded = (part.encode() for part in parts)
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _padded(value: bytes) -> bytes:
    """ISO/IEC 7816-4: a one bit, then zeros."""
    return value + b"\x80" + bytes(-(len(value) + 1) % BLOCK)


def _unpadded(padded: bytes) -> bytes:
    """Authenticated before: the padding is as it was made."""
    return padded.rstrip(b"\0")[:-1]
