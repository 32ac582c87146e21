"""Folders with odd names, homes that root cannot share, and locales that do not exist."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from undercroft.db.embedded.account import Account, account_for
from undercroft.db.embedded.layout import LONGEST_SOCKET_FOLDER, digest, prepare, socket_folder

from .conftest import EmbeddedPostgres, Spawn, copied, remove, session

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


ODD = [
    "with two  spaces",
    "comma, quote\" and apostrophe'",
    "Übergröße 数据",
    "back\\slash $HOME %s",
    "long/" + "/".join(["a-long-name-of-a-folder"] * 9),
]


@pytest.mark.parametrize("name", ODD)
async def test_a_home_of_any_name_is_served(prepared: Path, place: Path, name: str) -> None:
    source = EmbeddedPostgres(copied(prepared, place / name))
    address = await source.address()
    async with session(address) as connection:
        assert await connection.fetchval("select 1") == 1
    folder = Path(str(address.host))
    # Server, driver and psql all read a comma as the end of one folder.
    assert "," not in str(folder)
    assert len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER
    assert mode_of(folder) == 0o700
    await source.close()


async def test_the_callers_locale_and_postgres_variables_change_nothing(
    spawn: Spawn, place: Path
) -> None:
    environ = {
        "LANG": "xx_YY.UTF-8",
        "LC_ALL": "xx_YY.UTF-8",
        "LC_CTYPE": "nonsense",
        "PGDATA": "/nowhere",
        "PGHOST": "nowhere.invalid",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGOPTIONS": "-c nonsense=1",
        "PGSSLMODE": "require",
        "PGTZ": "Nowhere/Nowhere",
    }
    user = spawn(place / "home of ä", env=environ)
    assert user.said()["pid"]
    source = EmbeddedPostgres(place / "home of ä")
    async with session(await source.address(), "template1") as connection:
        assert await connection.fetchval("select show_trgm('ÄÖÜ')")
        assert await connection.fetchval("select lower('ÄÖÜ') = 'äöü'")
        assert await connection.fetchval("show timezone") == "UTC"
    user.leave()
    await source.close()


def test_a_socket_folder_that_somebody_else_laid_is_not_used(place: Path) -> None:
    home = place / ("x" * 100)
    layout = prepare(home)
    expected = Path(tempfile.gettempdir()) / f"undercroft-{os.geteuid()}-{digest(layout.folder)}"
    trap = place / "trap"
    trap.mkdir()
    expected.symlink_to(trap)
    try:
        chosen = socket_folder(layout)
    finally:
        expected.unlink()
    try:
        assert chosen.resolve() == chosen
        assert chosen not in (expected, trap)
        assert stat.S_IMODE(chosen.stat().st_mode) == 0o700
    finally:
        chosen.rmdir()


def test_a_socket_folder_open_to_others_is_not_used(place: Path) -> None:
    layout = prepare(place / "home")
    (layout.folder / "run").mkdir(mode=0o777)
    (layout.folder / "run").chmod(0o777)
    chosen = socket_folder(layout)
    assert chosen != layout.folder / "run"
    chosen.rmdir()


def test_folders_and_locks_are_closed_to_others(home: Path) -> None:
    for path in (home / "postgres").iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        assert not mode & (0o077 if path.name != "start.log" else 0o022), path.name


@pytest.fixture
def closed() -> Iterator[Path]:
    """A home like root's own: nobody else may enter the folder above it."""
    folder = Path(tempfile.mkdtemp(prefix="undercroft-test-"))
    yield folder / ".local" / "share" / "undercroft"
    remove(folder / ".local" / "share" / "undercroft")
    folder.rmdir() if not list(folder.iterdir()) else remove(folder)


@root
async def test_root_with_a_closed_home_is_served_and_no_mode_above_changes(closed: Path) -> None:
    top = closed.parents[2]
    source = EmbeddedPostgres(closed)
    async with session(await source.address()) as connection:
        assert await connection.fetchval("select 1") == 1
    status = await source.status()
    await source.close()
    assert mode_of(top) == 0o700
    assert (closed / "postgres" / "18").resolve() == Path(status.data)
    assert Path(status.data).is_relative_to("/var/lib/undercroft")
    await source.address()
    assert (await source.status()).data == status.data
    await source.close()


@root
async def test_a_home_that_is_made_again_while_its_server_runs_is_served_at_once(
    closed: Path,
) -> None:
    source = EmbeddedPostgres(closed)
    await source.address()
    status = await source.status()
    links = [path for path in (closed / "postgres").iterdir() if path.is_symlink()]
    shutil.rmtree(closed)
    again = EmbeddedPostgres(closed, start_patience=10.0)
    async with session(await again.address()) as connection:
        assert await connection.fetchval("select 1") == 1
    assert (await again.status()).pid == status.pid
    await source.close()
    await again.close()
    for link in links:
        link.symlink_to(status.data)  # so that the fixture finds what is to be removed


@root
async def test_the_server_does_not_run_as_root_nor_keeps_its_groups(
    spawn: Spawn, home: Path
) -> None:
    user = spawn(home, groups=[0, 4])
    words = read_status(user.said()["pid"])
    assert words["Uid"] == [words["Uid"][0]] * 4 != ["0"] * 4
    assert words["Groups"] == []
    user.leave()


def read_status(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


@root
def test_whoever_owns_the_data_keeps_it(place: Path) -> None:
    data = place / "18"
    data.mkdir()
    os.chown(data, 65534, 65534)
    account = account_for(place, [data])
    assert account
    assert account.uid == 65534


@root
def test_root_in_a_persons_home_runs_it_as_that_person(place: Path) -> None:
    os.chown(place, 65534, 65534)
    layout = prepare(place / "home")
    assert layout.account is None or layout.account.name != "root"
    os.chown(place, 0, 0)
    home = place / "theirs"
    home.mkdir()
    os.chown(home, 65534, 65534)
    layout = prepare(home)
    assert layout.account
    assert layout.account.uid == 65534
    assert layout.folder.stat().st_uid == 65534


def test_reach_is_judged_by_the_modes_of_every_folder_above(place: Path) -> None:
    somebody = Account(name="somebody", uid=54321, gid=54321)
    program = place / "bin" / "postgres"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    assert somebody.reaches(program)
    place.chmod(0o700)
    assert not somebody.reaches(program)
    place.chmod(0o755)
    program.chmod(0o700)
    assert not somebody.reaches(program)
    assert not somebody.reaches(place / "absent")
