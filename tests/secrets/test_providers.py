"""Who keeps the key-encryption keys, and what happens where one is gone."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import asyncpg
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from undercroft.app import open_app
from undercroft.app.doctor import examine
from undercroft.errors import Conflict, Forbidden, InvalidInput, Unavailable
from undercroft.secrets.cipher import Key
from undercroft.secrets.providers import keys_of, provider_named, system
from undercroft.secrets.providers.files import KeyFiles
from undercroft.secrets.service import Secrets
from undercroft.settings import Settings

VALUE = "canary-7f3a9c51-tail"


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


async def test_no_way_around_leads_keys_into_the_data_directory(
    settings: Settings, project: str, tmp_path: Path
) -> None:
    home = settings.home
    (tmp_path / "link").symlink_to(home)
    for folder in (tmp_path / "link" / "keys", home.parent / "x" / ".." / home.name / "keys"):
        async with open_app(replace(settings, key_folder=folder)) as app:
            room = await app.secrets(project)
            with pytest.raises(InvalidInput, match="beside them"):
                await room.set("A", VALUE)


async def test_whoever_is_second_with_the_first_key_leaves_none_behind(
    settings: Settings, project: str, tmp_path: Path, connect, waiting
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    registry = await connect(settings.registry_database)
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'key_encryption_keys'"
    async with (
        open_app(replace(settings, key_folder=folders[0])) as one,
        open_app(replace(settings, key_folder=folders[1])) as two,
    ):
        rooms = [await app.secrets(project) for app in (one, two)]
        async with registry.transaction():
            await registry.execute(f'SET ROLE "{await registry.fetchval(owner)}"')
            await registry.execute("LOCK TABLE key_encryption_keys IN SHARE MODE; RESET ROLE")
            setting = [
                asyncio.create_task(room.set(name, VALUE))
                for name, room in zip("AB", rooms, strict=True)
            ]
            await waiting("INSERT INTO public.key_encryption_keys", 2, registry)
        done = await asyncio.gather(*setting, return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["Forbidden", "Secret"]
    left = [len(list(folder.iterdir())) for folder in folders]
    assert left == [0 if isinstance(one, Forbidden) else 1 for one in done]


async def test_nothing_new_is_wrapped_under_a_key_that_is_gone(
    project: str, settings: Settings, tmp_path: Path
) -> None:
    own = replace(settings, key_folder=tmp_path / "keys")
    async with open_app(own) as app:
        await (await app.projects()).create(f"{project}_2")
        secrets = await app.secrets(project)
        await secrets.set("A", VALUE)
        [file] = own.key_folder.glob("*.key")
        kept = file.read_bytes()
        file.unlink()
        other = await app.secrets(f"{project}_2")
        for asked in (secrets.rotate_data_key(), other.set("B", "x")):
            with pytest.raises(Forbidden, match="is missing from its provider"):
                await asked
        # What this server has opened before stays readable, to bring it elsewhere.
        assert await secrets.use(purpose="t") == {"A": VALUE}
        file.write_bytes(kept)
        file.chmod(0o600)
        assert (await secrets.rotate_data_key()).moved == 1


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


async def test_keys_that_are_printed_one_after_the_other_are_all_read(tmp_path: Path) -> None:
    new, old = Key.random(), Key.random()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    script = tmp_path / "print keys"
    # Its second half is written once the first has left the program, and lets go of the gate.
    script.write_text(
        "import os, sys\n"
        f"os.write(1, {b64encode(new.material)!r}[:20])\n"
        f"open({str(gate)!r}, 'wb').close()\n"
        f"os.write(1, {b64encode(new.material)!r}[20:] + b'\\n' + {b64encode(old.material)!r})\n"
    )
    command = provider_named("command", tmp_path, f"'{sys.executable}' '{script}'")

    async def offered() -> Key:
        asked = asyncio.create_task(command.offer())
        await asyncio.to_thread(gate.read_bytes)
        return await asked

    assert (await offered()).id == new.id
    asked = asyncio.create_task(command.find(old.id))
    await asyncio.to_thread(gate.read_bytes)
    assert (await asked).id == old.id
    endless = provider_named("command", tmp_path, "yes")
    with pytest.raises(Unavailable, match="prints more than 65536 bytes"):
        await endless.offer()


def test_a_key_is_known_in_each_of_its_spellings() -> None:
    raw = bytes(range(223, 255))
    spellings = (
        b64encode(raw).decode(),
        urlsafe_b64encode(raw).decode(),
        raw.hex(),
        raw.hex().upper(),
    )
    assert {key.id for key in keys_of(", ".join(spellings), "x")} == {Key(raw).id}
    for wrong in ("x", raw.hex()[:-1], b64encode(raw[:-1]).decode(), "é" * 64, "-" * 44):
        with pytest.raises(InvalidInput, match="32 bytes"):
            keys_of(wrong, "x")


async def test_a_program_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("undercroft.secrets.providers.command.PATIENCE", 0.2)
    with pytest.raises(Unavailable, match=r"did not end within 0.2 s"):
        await provider_named("command", tmp_path, "sleep 600").offer()


class Kept(KeyringBackend):
    """A keyring that is real enough."""

    priority = 1

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


async def test_only_a_real_keyring_counts(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_keyring_that_waits_for_ever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, stuck = Kept(), threading.Event()
    monkeypatch.setattr(system, "PATIENCE", 0.1)
    monkeypatch.setattr(keyring, "get_keyring", lambda: kept)
    monkeypatch.setattr(kept, "get_password", lambda *_: stuck.wait())
    with pytest.raises(Unavailable, match="does not answer"):
        await system.SystemKeyring().find("0" * 32)
    stuck.set()


async def test_the_doctor_sees_keys_and_logs(
    project: str, secrets: Secrets, settings: Settings, owner: asyncpg.Connection, tmp_path: Path
) -> None:
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
