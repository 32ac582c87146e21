"""Keys: what is bound to what, who keeps them, and how they are exchanged."""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from undercroft.app import App, open_app
from undercroft.errors import Conflict, Forbidden, InvalidInput, Unavailable, UndercroftError
from undercroft.secrets.cipher import Key, Place
from undercroft.secrets.providers import provider_named
from undercroft.secrets.providers.files import KeyFiles
from undercroft.secrets.service import Secrets
from undercroft.settings import Settings

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
    from undercroft.secrets.rotating import rewrap

    assert await rewrap((await app.open(project)).database, ring) == 1
    assert await secrets.use(purpose="t") == {"A": VALUE}
    assert await other.use(purpose="t") == {"B": "two"}
    done = await app.rotate_master_key()
    assert (done.key, done.moved, done.left) == (halfway.id, 1, 0)
    again = await app.rotate_master_key()
    assert again.key != halfway.id
    assert again.moved == 2


async def test_a_key_that_is_gone_is_never_made_anew(
    project: str, secrets: Secrets, settings: Settings, tmp_path: Path, connect
) -> None:
    await secrets.set("A", VALUE)
    registry = await connect(settings.registry_database)
    elsewhere = replace(settings, key_folder=tmp_path / "empty")
    async with open_app(elsewhere) as app:
        blind = await app.secrets(project)
        for asked in (blind.use(purpose="t"), blind.set("B", "x"), blind.rotate_data_key()):
            with pytest.raises(Forbidden, match="is missing from its provider") as raised:
                await asked
            assert "Bring it back" in raised.value.hint
        with pytest.raises(Forbidden):
            await app.rotate_master_key()
        owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'key_encryption_keys'"
        await registry.execute(f'SET ROLE "{await registry.fetchval(owner)}"')
        await registry.execute("DELETE FROM key_encryption_keys")
        with pytest.raises(Forbidden, match="is missing"):
            await blind.set("B", "x")
        assert await registry.fetch("SELECT FROM key_encryption_keys") == []
    assert not (tmp_path / "empty").exists()
    async with open_app(settings) as app:
        assert await (await app.secrets(project)).use(purpose="t") == {"A": VALUE}
        await (await app.secrets(project)).rotate_data_key()
        assert len(await registry.fetch("SELECT FROM key_encryption_keys")) == 1


async def test_key_files_are_ones_own_and_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "keys"
    files = KeyFiles(folder)
    key = await files.offer()
    path = folder / f"{key.id}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert (await files.find(key.id)).id == key.id
    assert await files.find("0" * 32) is None
    assert await files.find("../../etc/passwd") is None
    path.chmod(0o640)
    with pytest.raises(Forbidden, match="Others can open the key's file"):
        await files.find(key.id)
    path.chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(Forbidden, match="Others can open the key's folder"):
        await files.find(key.id)
    folder.chmod(0o700)
    path.rename(tmp_path / "real")
    path.symlink_to(tmp_path / "real")
    with pytest.raises(Forbidden, match="cannot be read"):
        await files.find(key.id)
    path.unlink()
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(InvalidInput) as raised:
        await files.find(key.id)
    assert "nonsense" not in str(raised.value.as_dict())
    link = tmp_path / "link"
    link.symlink_to(folder)
    with pytest.raises(Forbidden, match="link or something else"):
        await KeyFiles(link).find(key.id)
    if os.geteuid() == 0:
        os.chown(path, 65_534, -1)
        with pytest.raises(Forbidden, match="another user"):
            await files.find(key.id)
    await files.withdraw(key)
    assert list(folder.iterdir()) == []


async def test_keys_never_lie_inside_the_data_directory(settings: Settings, project: str) -> None:
    inside = replace(settings, key_folder=settings.home / "keys")
    async with open_app(inside) as app:
        room = await app.secrets(project)
        with pytest.raises(InvalidInput, match="beside them"):
            await room.set("A", VALUE)


async def test_the_environment_gives_a_key_and_older_ones(
    settings: Settings, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (b64encode(os.urandom(32)).decode() for _ in range(2))
    chosen = replace(settings, key_provider="environment")
    async with open_app(chosen) as app:
        room = await app.secrets(project)
        with pytest.raises(InvalidInput, match="UNDERCROFT_KEY does not hold one key"):
            await room.set("A", VALUE)
        monkeypatch.setenv("UNDERCROFT_KEY", "canary")
        with pytest.raises(InvalidInput) as raised:
            await room.set("A", VALUE)
        assert "canary" not in str(raised.value.as_dict())
        monkeypatch.setenv("UNDERCROFT_KEY", first)
        await room.set("A", VALUE)
        with pytest.raises(Conflict, match="offers the key that is in use"):
            await app.rotate_master_key()
    monkeypatch.setenv("UNDERCROFT_KEY", second)
    async with open_app(chosen) as app:
        with pytest.raises(Forbidden, match="missing from its provider"):
            await (await app.secrets(project)).use(purpose="t")
    monkeypatch.setenv("UNDERCROFT_OLD_KEYS", first)
    async with open_app(chosen) as app:
        room = await app.secrets(project)
        assert await room.use(purpose="t") == {"A": VALUE}
        assert (await app.rotate_master_key()).moved == 1
    monkeypatch.delenv("UNDERCROFT_OLD_KEYS")
    async with open_app(chosen) as app:
        assert await (await app.secrets(project)).use(purpose="t") == {"A": VALUE}


async def test_a_program_prints_the_key(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    key = Key.random()
    printed = tmp_path / "key file"
    printed.write_text(b64encode(key.material).decode() + "\n")
    command = provider_named("command", tmp_path, f"cat '{printed}'")
    assert (await command.offer()).id == key.id
    assert (await command.find(key.id)).id == key.id
    assert await command.find("0" * 32) is None
    for words, kind, says in (
        ("", InvalidInput, "key_command is empty"),
        ("'", InvalidInput, "quote that is not closed"),
        ("echo canary", InvalidInput, "32 bytes in base64"),
        ("true", InvalidInput, "prints no key"),
        ("false", Unavailable, "exit status 1"),
        ("/no/such/program", Unavailable, "could not be started"),
    ):
        with pytest.raises(kind, match=says) as raised:
            await provider_named("command", tmp_path, words).offer()
        assert "canary" not in str(raised.value.as_dict())
    assert "canary" not in "".join(capfd.readouterr())


async def test_a_program_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undercroft.secrets.providers.command.PATIENCE", 0.2)
    with pytest.raises(Unavailable, match=r"did not end within 0.2 s"):
        await provider_named("command", tmp_path, "sleep 600").offer()


async def test_only_a_real_keyring_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    import keyring
    from keyring.backend import KeyringBackend
    from keyring.backends import fail, null

    from undercroft.secrets.providers import system

    class Kept(KeyringBackend):
        priority = 1

        def __init__(self) -> None:
            self.entries: dict[tuple[str, str], str] = {}

        def get_password(self, service: str, username: str) -> str | None:
            return self.entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            self.entries[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del self.entries[service, username]

    for unreal in (fail.Keyring(), null.Keyring()):
        monkeypatch.setattr(keyring, "get_keyring", lambda unreal=unreal: unreal)
        assert not await system.has_keyring()
    with pytest.raises(Unavailable, match="did not keep the key"):
        await system.SystemKeyring().offer()
    kept = Kept()
    monkeypatch.setattr(keyring, "get_keyring", lambda: kept)
    assert await system.has_keyring()
    mine = system.SystemKeyring()
    key = await mine.offer()
    assert (await mine.find(key.id)).id == key.id
    assert await mine.find("0" * 32) is None
    await mine.withdraw(key)
    assert kept.entries == {}

    monkeypatch.setattr(system, "PATIENCE", 0.1)
    stuck = threading.Event()
    monkeypatch.setattr(kept, "get_password", lambda *_: stuck.wait())
    with pytest.raises(Unavailable, match="does not answer"):
        await mine.find(key.id)
    stuck.set()


async def test_the_doctor_sees_keys_and_logs(
    project: str, secrets: Secrets, settings: Settings, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    from undercroft.app.doctor import examine

    async def found(settings: Settings) -> dict[str, str]:
        seen = [one async for one in examine(settings)]
        return {one.what: f"{one.verdict}: {one.says}" for one in seen if "secrets" in one.what}

    assert list((await found(settings)).values()) == [
        "ok: none yet; the provider file will keep the first"
    ]
    await secrets.set("A", VALUE)
    [key, log] = (await found(settings)).values()
    assert (key, log) == ("ok: in use, by file", "ok: 1 rows, as they were written")
    await owner.execute("UPDATE vault.secret_access_log_head SET entries = 2")
    lost = replace(settings, key_folder=tmp_path)
    [key, log] = (await found(lost)).values()
    assert "wrong: The key" in key
    assert log == "wrong: it is not as it was written, from row 2 on"
