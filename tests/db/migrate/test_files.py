import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import undercroft
from undercroft.db.migrate.files import digest, load_line
from undercroft.errors import InvalidInput, NotFound
from undercroft.resources import resources


def write(folder: Path, **files: str) -> None:
    (folder / "garden").mkdir(exist_ok=True)
    for name, text in files.items():
        stem, _, way = name.lstrip("_").rpartition("_")
        (folder / "garden" / f"{stem}.{way}.sql").write_text(text)


def test_a_line_is_its_pairs_in_order(tmp_path: Path) -> None:
    write(tmp_path, _0002_b_up="2", _0002_b_down="", _0001_a_up="1", _0001_a_down="")
    line = load_line("garden", tmp_path)
    assert [m.label for m in line.migrations] == ["0001_a", "0002_b"]
    assert line.latest == 2


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"_0002_b_up": "", "_0002_b_down": ""}, "Migration 0001 is missing"),
        ({"_0001_a_up": ""}, "0001_a.up.sql has no down file"),
        ({"_0001_a_down": ""}, "0001_a.down.sql has no up file"),
        ({"_0001_a_up": "", "_0001_b_up": ""}, "Two migrations have the number 0001"),
        ({"_0001_a_up": "", "_0001_b_down": ""}, "0001 has two names"),
        ({"_1_a_up": "", "_1_a_down": ""}, "no name for a migration"),
        ({"_0001_a_up": "-- requires: 0001", "_0001_a_down": ""}, "does not come before it"),
        ({"_0001_a_up": "-- require: 0001", "_0001_a_down": ""}, "unknown header `require`"),
        ({"_0001_a_up": "-- data: all", "_0001_a_down": ""}, "`data` knows only `batches`"),
        ({"_0001_a_up": "-- requires: x/y", "_0001_a_down": ""}, "`x/y` names no migration"),
        ({"_0001_a_up": "-- irreversible: no", "_0001_a_down": ""}, "belongs into a down file"),
        ({"_0001_a_up": "", "_0001_a_down": "-- data: batches"}, "belongs into an up file"),
        ({"_0001_a_up": "-- data: batches\n-- data: batches", "_0001_a_down": ""}, "twice"),
    ],
)
def test_a_broken_line_is_refused_by_file_name(
    tmp_path: Path, files: dict[str, str], message: str
) -> None:
    write(tmp_path, **files)
    with pytest.raises(InvalidInput, match=message):
        load_line("garden", tmp_path)


def test_a_misspelt_header_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, _0001_a_up="-- The list.\n-- enviroments: test\nSELECT 1", _0001_a_down="")
    with pytest.raises(InvalidInput) as refused:
        load_line("garden", tmp_path)
    assert "0001_a.up.sql:2" in refused.value.message
    assert "`environments`" in refused.value.hint


def test_headers_are_read_and_prose_is_left_alone(tmp_path: Path) -> None:
    head = "-- no transaction\n-- environments: development, test\n-- data: batches\n\n"
    prose = "-- The garden, in prose.\n-- flowers: roses and more\nSELECT 1; -- data: nothing"
    write(tmp_path, _0001_a_up=head + prose, _0001_a_down="-- irreversible: roses are gone")
    migration = load_line("garden", tmp_path).at(1)
    assert not migration.up.header.transaction
    assert migration.up.header.batches
    assert migration.up.header.environments == ("development", "test")
    assert migration.down.header.irreversible == "roses are gone"


def test_line_ends_do_not_change_a_checksum_but_any_letter_does(tmp_path: Path) -> None:
    write(tmp_path, _0001_a_up="SELECT 1;\n", _0001_a_down="")
    before = load_line("garden", tmp_path)
    (tmp_path / "garden" / "0001_a.up.sql").write_bytes(b"SELECT 1;\r\n")
    assert load_line("garden", tmp_path).at(1).checksum == before.at(1).checksum
    assert digest(load_line("garden", tmp_path)) == digest(before)
    (tmp_path / "garden" / "0001_a.down.sql").write_text("SELECT 2;")
    assert digest(load_line("garden", tmp_path)) != digest(before)


def test_an_unknown_line_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_line("nowhere", tmp_path)


def test_the_checkout_has_its_resources() -> None:
    assert (resources("migrations") / "registry").is_dir()
    assert resources("schemas").is_dir()


def test_an_installed_package_has_its_resources_inside(tmp_path: Path) -> None:
    package = tmp_path / "undercroft"
    shutil.copytree(Path(undercroft.__file__).parent, package)
    shutil.copytree(resources("migrations"), package / "migrations")
    shutil.copytree(resources("schemas"), package / "schemas")
    code = (
        "from undercroft.db.migrate.files import load_line;"
        "from undercroft.resources import resources as r;"
        "print(r('migrations'), r('schemas'), load_line('registry').latest > 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])},
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert found.stdout.split() == [str(package / "migrations"), str(package / "schemas"), "True"]
