"""What a child finds in its environment."""

from __future__ import annotations

import pytest

from undercroft.errors import InvalidInput
from undercroft.running.environment import environment


def test_secrets_win_over_ports_and_ports_over_what_was_there() -> None:
    parent = {"A": "parent", "WEB_PORT": "parent", "B": "parent"}
    made = environment(parent, {"WEB_PORT": "1", "B": "2"}, {"B": "secret"})
    assert made == {"A": "parent", "WEB_PORT": "1", "B": "secret"}


def test_our_own_keys_are_withheld() -> None:
    parent = {
        "UNDERCROFT_KEY": "k",
        "UNDERCROFT_OLD_KEYS": "k",
        "UNDERCROFT_TOKEN": "t",
        "UNDERCROFT_EMBEDDING_KEY": "e",
        "UNDERCROFT_DATABASE_URL": "postgresql://me:pw@host/db",
        "UNDERCROFT_HOME": "/home",
    }
    assert environment(parent, {}, {}) == {"UNDERCROFT_HOME": "/home"}


@pytest.mark.parametrize(
    ("dsn", "kept"),
    [
        ("postgresql://me@host/db", True),
        ("postgresql://host/db?password=x", False),
        ("host=h password=x", False),
        ("postgresql://[", False),
    ],
)
def test_an_address_without_a_password_is_no_key(dsn: str, kept: bool) -> None:
    assert bool(environment({"UNDERCROFT_DATABASE_URL": dsn}, {}, {})) is kept


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "PYTHONPATH",
        "NODE_OPTIONS",
        "BASH_ENV",
        "GIT_SSH_COMMAND",
        "IFS",
        "UNDERCROFT_HOME",
        "PERL5LIB",
        "a-b",
        "1A",
        "A=B",
        "",
    ],
)
def test_a_name_that_changes_what_runs_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        environment({}, {}, {name: "value"})


def test_a_value_with_a_zero_byte_is_refused_without_being_told() -> None:
    with pytest.raises(InvalidInput) as refused:
        environment({}, {}, {"KEY": "hidden\0value"})
    assert "hidden" not in str(refused.value.as_dict())
