"""Keys are exchanged while everything stays readable, and whatever cuts it off."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from undercroft.app import App, open_app
from undercroft.app.doctor import examine
from undercroft.errors import UndercroftError
from undercroft.secrets.service import Secrets
from undercroft.secrets.wrapping import rewrap
from undercroft.settings import Settings

VALUE = "canary-7f3a9c51-tail"


async def test_a_rotation_of_data_keys_keeps_every_value(
    app: App, project: str, secrets: Secrets, sql: asyncpg.Connection
) -> None:
    values = {f"S{n}": f"value {n}" for n in range(7)}
    await secrets.set_all(values)
    await secrets.set("S0", "next")
    other = await app.secrets(project, "another server")
    assert await other.use(purpose="t") == values | {"S0": "next"}
    [before] = await sql.fetchrow("SELECT id FROM vault.encryption_keys")
    done = await secrets.rotate_data_key()
    assert (done.moved, done.left) == (8, 0)
    [after] = await sql.fetchrow("SELECT id FROM vault.encryption_keys")
    assert str(after) == done.key != str(before)
    assert await other.use(purpose="t") == values | {"S0": "next"}
    assert await other.show("S0", version=1) == "value 0"
    assert await sql.fetchval("SELECT encryptions FROM vault.encryption_keys") == 8


async def test_a_rotation_that_was_cut_off_goes_on(
    app: App, project: str, secrets: Secrets, owner: asyncpg.Connection, monkeypatch
) -> None:
    monkeypatch.setattr("undercroft.secrets.rotating.BATCH", 2)
    values = {f"S{n}": f"value {n}" for n in range(6)}
    await secrets.set_all(values)
    await owner.execute(
        "CREATE FUNCTION vault.cut() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'cut' USING ERRCODE = '57014'; END $$;"
        "CREATE TRIGGER cut BEFORE UPDATE ON vault.secret_versions"
        " FOR EACH ROW WHEN (OLD.name = 'S3') EXECUTE FUNCTION vault.cut()"
    )
    with pytest.raises(UndercroftError):
        await secrets.rotate_data_key()
    halves = "SELECT count(*) FROM vault.secret_versions GROUP BY key_id ORDER BY 1"
    assert [row[0] for row in await owner.fetch(halves)] == [2, 4]
    assert await secrets.use(purpose="t") == values
    await secrets.set("S9", "meanwhile")
    await owner.execute("DROP TRIGGER cut ON vault.secret_versions")
    other = await app.secrets(project, "another server")
    assert (await other.rotate_data_key()).moved == 4
    assert [row[0] for row in await owner.fetch(halves)] == [7]
    assert await secrets.use(purpose="t") == values | {"S9": "meanwhile"}
    assert await owner.fetchval("SELECT count(*) FROM vault.encryption_keys") == 1


async def test_a_data_key_is_replaced_before_its_bound(
    secrets: Secrets, owner: asyncpg.Connection
) -> None:
    await secrets.set("A", "one")
    await owner.execute("UPDATE vault.encryption_keys SET encryptions = 2147483648")
    await secrets.set("B", "two")
    states = await owner.fetch("SELECT state, encryptions FROM vault.encryption_keys ORDER BY 1")
    assert [tuple(row) for row in states] == [("active", 1), ("retired", 2_147_483_648)]
    assert await secrets.use(purpose="t") == {"A": "one", "B": "two"}


async def test_the_master_key_is_replaced_in_every_project(
    app: App, project: str, secrets: Secrets, settings: Settings
) -> None:
    projects = await app.projects("test")
    archived, empty = f"{project}_archived", f"{project}_empty"
    for name in (archived, empty):
        await projects.create(name)
    await secrets.set("A", VALUE)
    await (await app.secrets(archived)).set("B", "of old")
    await projects.archive(archived)
    registry = await app.registry()
    keys = "SELECT id FROM key_encryption_keys ORDER BY retired_at IS NOT NULL"
    [[before]] = await registry.fetch_text(keys)
    async with open_app(settings) as other:
        running = await other.secrets(project)
        assert await running.use(purpose="t") == {"A": VALUE}
        done = await app.rotate_master_key()
        assert (done.moved, done.left) == (2, 0)
        assert [row["id"] for row in await registry.fetch_text(keys)] == [done.key, before]
        assert await running.use(purpose="t") == {"A": VALUE}
        await (await other.secrets(empty)).set("C", "new")
        assert (await (await app.secrets(empty)).use(purpose="t")) == {"C": "new"}
    (settings.key_folder / f"{before}.key").unlink()
    async with open_app(settings) as later:
        assert await (await later.secrets(project)).use(purpose="t") == {"A": VALUE}
        await (await later.projects()).restore(archived)
        assert await (await later.secrets(archived)).use(purpose="t") == {"B": "of old"}


async def test_a_rotation_of_the_master_key_that_was_cut_off_goes_on(
    app: App, project: str, secrets: Secrets
) -> None:
    await (await app.projects()).create(f"{project}_2")
    other = await app.secrets(f"{project}_2")
    await secrets.set("A", VALUE)
    await other.set("B", "two")
    ring = app.started.ring
    halfway = await ring.replace()
    assert await rewrap((await app.open(project)).database, ring) == (1, 0)
    assert await secrets.use(purpose="t") == {"A": VALUE}
    assert await other.use(purpose="t") == {"B": "two"}
    done = await app.rotate_master_key()
    assert (done.key, done.moved, done.left) == (halfway.id, 1, 0)
    again = await app.rotate_master_key()
    assert again.key != halfway.id
    assert again.moved == 2


FLIP = (
    "UPDATE vault.secret_versions SET ciphertext ="
    " set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1) WHERE name = 'A' AND version = 1"
)


async def test_a_value_that_does_not_decrypt_does_not_keep_others_under_an_older_key(
    secrets: Secrets, owner: asyncpg.Connection, monkeypatch
) -> None:
    monkeypatch.setattr("undercroft.secrets.rotating.BATCH", 2)
    await secrets.set("A", "damaged")
    await secrets.set_all({"A": "next", "B": "two", "C": "three"})
    await owner.execute(FLIP)
    for _ in range(2):
        done = await secrets.rotate_data_key()
        assert (done.moved, done.damaged) == (3, 1)
    states = await owner.fetch(
        "SELECT k.state, count(*) FROM vault.secret_versions AS v"
        " JOIN vault.encryption_keys AS k ON k.id = v.key_id GROUP BY 1 ORDER BY 1"
    )
    assert [tuple(row) for row in states] == [("active", 3), ("retired", 1)]
    assert await secrets.use(purpose="t") == {"A": "next", "B": "two", "C": "three"}
    # Its key was kept: once it is as it was, it is moved as well.
    await owner.execute(FLIP)
    assert await secrets.show("A", version=1) == "damaged"
    done = await secrets.rotate_data_key()
    assert (done.moved, done.damaged) == (1, 0)
    assert await secrets.show("A", version=1) == "damaged"
    assert await owner.fetchval("SELECT count(*) FROM vault.encryption_keys") == 1


async def test_a_data_key_that_does_not_decrypt_is_told_with_the_key_that_it_needs(
    app: App, project: str, secrets: Secrets, owner: asyncpg.Connection, settings: Settings
) -> None:
    await secrets.set("A", VALUE)
    await secrets.set("A", "next")
    await owner.execute(FLIP)
    await secrets.rotate_data_key()
    await owner.execute(
        "UPDATE vault.encryption_keys SET wrapped = decode(repeat('00', 60), 'hex')"
        " WHERE state = 'retired'"
    )
    before = await app.started.ring.current_id()
    done = await app.rotate_master_key()
    assert (done.moved, done.damaged, done.left, done.older) == (1, 1, 0, [before])
    again = await app.rotate_master_key()
    assert (again.moved, again.damaged, again.older) == (1, 1, [before])
    assert again.key != done.key
    found = {one.what: one async for one in examine(settings)}
    [told] = [one for what, one in found.items() if what.startswith("keys of secrets of")]
    assert (told.verdict, before[:8] in told.says) == ("warning", True)
    async with open_app(settings) as fresh:
        room = await fresh.secrets(project)
        assert await room.use(purpose="t") == {"A": "next"}


async def test_a_data_key_that_is_made_while_the_master_key_is_replaced_follows(
    app: App, project: str, owner: asyncpg.Connection, settings: Settings, waiting
) -> None:
    await (await app.projects()).create(f"{project}_2")
    await (await app.secrets(f"{project}_2")).set("B", "two")
    secrets = await app.secrets(project)
    async with open_app(settings) as other:
        async with owner.transaction():
            await owner.execute("LOCK TABLE vault.encryption_keys IN SHARE MODE; RESET ROLE")
            setting = asyncio.create_task(secrets.set("A", VALUE))
            # It is wrapped under the older key by now, and the rotation cannot see it.
            await waiting("INSERT INTO vault.encryption_keys", 1)
            done = await other.rotate_master_key()
        await setting
    assert (done.moved, done.older) == (1, [])
    named = await owner.fetch("SELECT wrapped_by FROM vault.encryption_keys")
    assert [row["wrapped_by"] for row in named] == [done.key]
    assert await secrets.use(purpose="t") == {"A": VALUE}
