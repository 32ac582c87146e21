"""Values that the server makes, kinds, and when the next one is wanted."""

from __future__ import annotations

import asyncpg
import pytest

from undercroft.errors import InvalidInput, NotFound
from undercroft.secrets.service import Secrets


async def made(secrets: Secrets, kind: str, length: int = 0, around: str = "") -> str:
    kept = await secrets.generate("MADE", kind, length=length, around=around)
    assert kept.generated
    return (await secrets.use(["MADE"], purpose="t"))["MADE"]


async def test_every_kind_that_can_be_made_has_its_shape(secrets: Secrets) -> None:
    import re

    kinds = [one for one in await secrets.templates() if one.generator]
    assert len(kinds) == 8
    for kind in kinds:
        around = "postgresql://app:{}@localhost/app" if kind.generator == "database_url" else ""
        values = {await made(secrets, kind.kind, around=around) for _ in range(3)}
        assert len(values) == 3
        assert all(re.fullmatch(kind.shape, value) for value in values)
        if kind.generator in ("token", "hex", "password"):
            assert {len(value) for value in values} == {kind.length}


async def test_a_password_has_letters_digits_and_marks(secrets: Secrets) -> None:
    value = await made(secrets, "password", length=16)
    assert len(value) == 16
    assert any(c.islower() for c in value)
    assert any(c.isupper() for c in value)
    assert any(c.isdigit() for c in value)
    assert any(not c.isalnum() for c in value)
    assert not set(value) & set("'\"`$\\ ")


async def test_an_ssh_key_is_one(secrets: Secrets) -> None:
    from cryptography.hazmat.primitives.serialization import load_ssh_private_key

    key = load_ssh_private_key((await made(secrets, "ssh_key")).encode(), None)
    assert type(key).__name__ == "Ed25519PrivateKey"


async def test_a_database_url_is_made_around_its_password(secrets: Secrets) -> None:
    url = await made(secrets, "database_url", around="postgresql://app:{}@db:5432/app")
    begin, end = "postgresql://app:", "@db:5432/app"
    assert url.startswith(begin)
    assert url.endswith(end)
    assert len(url) == len(begin) + 32 + len(end)
    turned = await secrets.rotate("MADE")
    assert (turned.version, turned.generated) == (2, True)
    after = (await secrets.use(["MADE"], purpose="t"))["MADE"]
    assert after != url
    assert after.startswith(begin)
    for around in ("", "postgresql://app@db", "postgresql://a:{}@{}/b", "x{}"):
        with pytest.raises(InvalidInput):
            await secrets.generate("MADE", "database_url", around=around)


async def test_what_cannot_be_made_is_said(secrets: Secrets) -> None:
    for how in ({"kind": "certificate"}, {"kind": "token", "length": 15}, {"length": 1025}):
        with pytest.raises(InvalidInput):
            await secrets.generate("A", **how)
    with pytest.raises(NotFound):
        await secrets.generate("A", "nothing")
    assert await secrets.names() == []


async def test_what_a_person_gave_only_a_person_rotates(secrets: Secrets) -> None:
    await secrets.set("GIVEN", "by hand")
    with pytest.raises(InvalidInput, match="was given") as raised:
        await secrets.rotate("GIVEN")
    assert "undercroft secret set GIVEN" in raised.value.hint
    assert (await secrets.rotate("GIVEN", "by hand again")).version == 2
    await secrets.set("KIND", "by-hand-by-hand", kind="api_key")
    assert (await secrets.rotate("KIND")).version == 2
    with pytest.raises(NotFound):
        await secrets.rotate("NOTHING")
    with pytest.raises(InvalidInput):
        await secrets.rotate("KIND", "short")


async def test_tokens_are_over_after_their_days(secrets: Secrets, sql: asyncpg.Connection) -> None:
    kept = await secrets.generate("A", "token")
    assert kept.expires_at is not None
    assert (kept.expires_at - kept.created_at).days in (89, 90)
    assert (await secrets.generate("B", "password")).expires_at is None
    assert await sql.fetch("SELECT name FROM vault.secrets_expiring_soon") == []
    await secrets.generate("C", "password", expires_days=3)
    soon = await sql.fetch("SELECT name, expired FROM vault.secrets_expiring_soon")
    assert [tuple(row) for row in soon] == [("C", False)]


async def test_a_schedule_tells_when_a_rotation_is_due(
    secrets: Secrets, sql: asyncpg.Connection
) -> None:
    await secrets.set("A", "one")
    kept = await secrets.schedule_rotation("A", 30)
    assert kept.rotate_every_days == 30
    assert kept.rotation_due_at is not None
    assert (kept.rotation_due_at - kept.updated_at).days == 30
    needing = "SELECT name, every_days FROM vault.secrets_needing_rotation"
    assert await sql.fetch(needing) == []
    await sql.execute("UPDATE vault.secret_versions SET created_at = now() - interval '31 days'")
    assert [tuple(row) for row in await sql.fetch(needing)] == [("A", 30)]
    await secrets.set("A", "two")
    assert await sql.fetch(needing) == []
    assert (await secrets.schedule_rotation("A", 0)).rotate_every_days is None
    for days in (-1, 3651):
        with pytest.raises(InvalidInput):
            await secrets.schedule_rotation("A", days)
    with pytest.raises(NotFound):
        await secrets.schedule_rotation("B", 3)
