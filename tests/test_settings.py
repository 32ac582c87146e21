from __future__ import annotations

from pathlib import Path

import pytest

from undercroft.errors import InvalidInput
from undercroft.settings import Settings, fields, load_settings, variable


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('port = 1\nhost = "localhost"\nactor = "file"\n')
    environ = {"UNDERCROFT_HOME": str(tmp_path), "UNDERCROFT_PORT": "2", "UNDERCROFT_ACTOR": "env"}
    settings = load_settings({"port": "3"}, environ)
    assert (settings.port, settings.actor, settings.host) == (3, "env", "localhost")
    assert settings.sources == {
        "port": "flag",
        "actor": "UNDERCROFT_ACTOR",
        "host": "config.toml",
        "home": "UNDERCROFT_HOME",
    }


def test_the_file_is_looked_for_in_the_home_that_a_flag_names(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("pool_budget = 9\n")
    assert load_settings({"home": str(tmp_path)}, {}).pool_budget == 9


def test_a_home_with_a_tilde_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings({"home": "~/u"}, {}).home == tmp_path / "u"


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"UNDERCROFT_PORT": "many"}, "UNDERCROFT_PORT"),
        ({"UNDERCROFT_READ_ONLY": "perhaps"}, "UNDERCROFT_READ_ONLY"),
        ({"UNDERCROFT_TRANSPORT": "carrier-pigeon"}, "UNDERCROFT_TRANSPORT"),
        ({"UNDERCROFT_POOL_BUDGET": "3"}, "at least 8"),
        ({"UNDERCROFT_CALL_TIMEOUT": "-1"}, "at least 0"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    environ: dict[str, str], named: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=named):
        load_settings({"home": str(tmp_path)}, environ)


@pytest.mark.parametrize("content", ["prot = 1\n", "port = \n", "\xff"])
def test_a_file_that_cannot_be_understood_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(content, encoding="latin-1")
    with pytest.raises(InvalidInput, match=r"config\.toml"):
        load_settings({"home": str(tmp_path)}, {})


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    environ = {"UNDERCROFT_HOME": str(tmp_path), "UNDERCROFT_PORT": ""}
    assert load_settings({}, environ).port == Settings().port


def test_every_setting_is_described_and_has_its_variable() -> None:
    for field in fields():
        assert field.metadata["help"].endswith("."), field.name
        assert variable(field.name) == f"UNDERCROFT_{field.name.upper()}"
