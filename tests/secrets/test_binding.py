"""What is encrypted opens in its place alone, and shows every change."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
import pytest

from undercroft.app import App
from undercroft.errors import Forbidden
from undercroft.secrets.cipher import Key, Place
from undercroft.secrets.service import Secrets

VALUE = "canary-7f3a9c51-tail"


def test_a_ciphertext_opens_in_its_place_alone() -> None:
    key, other = Key.random(), Key.random()
    place = Place("project_a", "NAME", 1, UUID(int=1))
    sealed = key.seal(VALUE, place)
    assert key.open(sealed.nonce, sealed.ciphertext, place) == VALUE
    elsewhere = [
        (key, place._replace(project="project_b")),
        (key, place._replace(name="NAM", project="project_aE")),
        (key, place._replace(name="NAME1")),
        (key, place._replace(version=11, name="NAM")),
        (key, place._replace(version=2)),
        (key, place._replace(key=UUID(int=2))),
        (other, place),
    ]
    for opener, where in elsewhere:
        with pytest.raises(Forbidden, match="does not decrypt"):
            opener.open(sealed.nonce, sealed.ciphertext, where)


def test_every_flipped_bit_is_noticed() -> None:
    key, place = Key.random(), Place("p", "N", 1, uuid4())
    sealed = key.seal(VALUE, place)
    whole = sealed.nonce + sealed.ciphertext
    for bit in range(len(whole) * 8):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Forbidden):
            key.open(bytes(flipped[:12]), bytes(flipped[12:]), place)
    with pytest.raises(Forbidden):
        key.open(sealed.nonce, sealed.ciphertext[:8], place)


def test_a_wrapped_key_opens_in_its_place_alone() -> None:
    kek, data, place = Key.random(), Key.random(), UUID(int=1)
    wrapped = kek.wrap(data, "project_a", place)
    assert kek.unwrap(wrapped, "project_a", place).id == data.id
    for opener, project, key_id in (
        (kek, "project_b", place),
        (kek, "project_a", UUID(int=2)),
        (Key.random(), "project_a", place),
    ):
        with pytest.raises(Forbidden):
            opener.unwrap(wrapped, project, key_id)


def test_nothing_that_shows_a_key_shows_its_bits() -> None:
    key = Key(b"k" * 32)
    assert "kkk" not in f"{key!r} {key} {key.id}"
    assert len(key.id) == 32
    assert key.id == Key(b"k" * 32).id
    with pytest.raises(ValueError, match="32 bytes"):
        Key(b"short")


SWAPS = {
    "another name": "UPDATE vault.secret_versions AS a SET nonce = b.nonce,"
    " ciphertext = b.ciphertext FROM vault.secret_versions AS b"
    " WHERE a.name = 'A' AND b.name = 'B' AND b.version = 1",
    "another version": "UPDATE vault.secret_versions AS a SET nonce = b.nonce,"
    " ciphertext = b.ciphertext FROM vault.secret_versions AS b"
    " WHERE a.name = 'A' AND a.version = 2 AND b.name = 'A' AND b.version = 1",
    "a renumbered version": "UPDATE vault.secrets SET version = 3 WHERE name = 'A';"
    "UPDATE vault.secret_versions SET version = 3 WHERE name = 'A' AND version = 1",
    "another key's id": "INSERT INTO vault.encryption_keys (id, wrapped, wrapped_by, state)"
    " SELECT gen_random_uuid(), wrapped, wrapped_by, 'retired' FROM vault.encryption_keys;"
    "UPDATE vault.secret_versions SET key_id = k.id FROM vault.encryption_keys AS k"
    " WHERE k.state = 'retired'",
    "a bit": "UPDATE vault.secret_versions"
    " SET ciphertext = set_byte(ciphertext, 3, get_byte(ciphertext, 3) # 1)",
}


async def test_rows_that_were_moved_or_changed_do_not_decrypt(
    app: App, project: str, secrets: Secrets, owner: asyncpg.Connection
) -> None:
    await secrets.set_all({"A": "old", "B": "other"})
    await secrets.set("A", VALUE)
    for what, deed in SWAPS.items():
        kept = await owner.fetch("SELECT * FROM vault.secret_versions")
        await owner.execute(deed)
        with pytest.raises(Forbidden, match="does not decrypt"):
            await secrets.use(["A"], purpose=what)
        await owner.execute("DELETE FROM vault.secret_versions")
        await owner.execute("UPDATE vault.secrets SET version = 2 WHERE name = 'A'")
        await owner.copy_records_to_table("secret_versions", records=kept, schema_name="vault")
        assert await secrets.use(["A"], purpose="t") == {"A": VALUE}
    await (await app.projects()).create(f"{project}_2")
    other = await app.secrets(f"{project}_2")
    await other.set("A", "theirs")
    rows = await owner.fetch("SELECT * FROM vault.encryption_keys WHERE state = 'active'")
    kek = await app.started.ring.find(rows[0]["wrapped_by"])
    with pytest.raises(Forbidden):
        kek.unwrap(rows[0]["wrapped"], f"project_{project}_2", rows[0]["id"])
