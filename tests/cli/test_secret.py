"""`undercroft secret …`, as a script and a person at a terminal use it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undercroft.settings import Settings

from .test_tools import Run, cli

__all__ = ["cli"]

VALUE = "canary-7f3a9c51-tail"
Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folder that the commands run in is a checkout."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def terminal(settings: Settings, checkout: Path) -> Typed:
    """Run `undercroft …` at a terminal: what is typed once it is asked for, and what is seen."""

    def terminal(*words: str, asks: str = "", typed: str = "", end: str = "\n") -> tuple[int, str]:
        ours, theirs = pty.openpty()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(checkout / "home"),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "UNDERCROFT_HOME": str(settings.home),
            "UNDERCROFT_KEY_PROVIDER": "file",
            "UNDERCROFT_KEY_FOLDER": str(settings.key_folder),
            "UNDERCROFT_DATABASE_URL": settings.database_url,
            "UNDERCROFT_REGISTRY_DATABASE": settings.registry_database,
        }
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "undercroft", *words],
            env=env, cwd=checkout, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                read = os.read(ours, 65_536)
            except OSError:
                break
            if not read:
                break
            seen += read
            if asks and asks.encode() in seen:
                os.write(ours, (typed + end).encode())
                asks = ""
        os.close(ours)
        return process.wait(60), seen.decode()

    return terminal


def test_a_value_comes_by_standard_input_and_stays_unseen(cli: Run, checkout: Path) -> None:
    done = cli("secret", "set", "STRIPE_KEY", "--description", "payments", stdin=VALUE + "\n")
    assert done.returncode == 0, done.stderr
    assert "STRIPE_KEY has version 1 in" in done.stdout
    made = cli("secret", "generate", "DB_PASSWORD", "--kind", "password", "--json")
    assert json.loads(made.stdout)["generated"]
    listed = json.loads(cli("secret", "list", "--json").stdout)
    assert [one["name"] for one in listed["secrets"]] == ["DB_PASSWORD", "STRIPE_KEY"]
    table = cli("secret", "list").stdout
    assert "payments" in table
    assert VALUE not in done.stdout + done.stderr + table + json.dumps(listed)
    turned = cli("secret", "rotate", "DB_PASSWORD", "--json")
    assert json.loads(turned.stdout)["version"] == 2
    due = cli("secret", "rotate", "DB_PASSWORD", "--every", "30", "--json")
    assert json.loads(due.stdout)["rotate_every_days"] == 30
    given = cli("secret", "rotate", "STRIPE_KEY")
    assert (given.returncode, "was given" in given.stderr) == (2, True)


def test_a_person_is_asked_without_an_echo_and_sees_it_on_demand(cli: Run, terminal: Typed) -> None:
    status, seen = terminal("secret", "set", "A", asks="(not shown): ", typed=VALUE)
    assert status == 0, seen
    assert VALUE not in seen
    status, seen = terminal("secret", "show", "A")
    assert (status, VALUE in seen) == (0, True)


PASTED = {
    "a key": ("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", "several lines"),
    "a key's first line": ("-----BEGIN PRIVATE KEY-----", "several lines"),
    "two lines": ("canary\ncanary", "several lines"),
    "a line that the terminal cuts": ("canary" * 900, "too long to be typed"),
    "nothing": ("\x04", "No value was given"),
}
"""What is pasted at a terminal → why none of it is stored."""


def test_what_a_terminal_would_cut_is_not_stored(cli: Run, terminal: Typed) -> None:
    for what, (pasted, why) in PASTED.items():
        # The last of several lines has no end, as when it was copied without one.
        end = "" if "\n" in pasted else "\n"
        status, seen = terminal("secret", "set", "A", asks="(not shown): ", typed=pasted, end=end)
        assert (status, why in seen, "canary" in seen) == (2, True, False), what
        assert what == "nothing" or "undercroft secret set A < file" in seen
    listed = cli("secret", "list", "--json")
    assert json.loads(listed.stdout)["secrets"] == []


def test_a_long_line_that_is_whole_is_kept(cli: Run, terminal: Typed) -> None:
    value = "ü" * 2_000
    status, seen = terminal("secret", "set", "A", asks="(not shown): ", typed=value)
    assert status == 0, seen
    assert value in terminal("secret", "show", "A")[1]
    piped = cli("secret", "show", "A")
    assert (piped.returncode, piped.stdout) == (6, "")
    assert "person at a terminal" in piped.stderr
    log = json.loads(cli("secret", "log", "--json").stdout)["accesses"]
    assert [one["action"] for one in log] == ["show", "set"]


def test_only_a_person_lets_an_agent_see_a_value(cli: Run, terminal: Typed) -> None:
    cli("secret", "set", "A", stdin=VALUE)
    ask = ("call", "get_secret", "name=A", "reveal=true", "--json")
    refused = cli(*ask)
    assert refused.returncode == 6
    assert cli("secret", "allow", "A", stdin="A\n").returncode == 6
    status, seen = terminal("secret", "allow", "A", asks="to agree: ", typed="no")
    assert (status, "Nothing was allowed" in seen) == (6, True)
    assert cli(*ask).returncode == 6
    status, seen = terminal("secret", "allow", "A", "--once", asks="to agree: ", typed="A")
    assert status == 0, seen
    assert re.search(r"Until [0-9:]{8}, once\.", seen)
    assert json.loads(cli(*ask).stdout)["value"] == VALUE
    assert cli(*ask).returncode == 6


def test_a_file_of_variables_is_stored_whole_or_not_at_all(cli: Run, checkout: Path) -> None:
    file = checkout / ".env"
    file.write_text(f"A={VALUE}\nexport B='two'\nPATH=/tmp\n")
    refused = cli("secret", "import", ".env")
    assert (refused.returncode, "PATH changes how programs run" in refused.stderr) == (2, True)
    assert json.loads(cli("secret", "list", "--json").stdout)["secrets"] == []
    file.write_text(f"A={VALUE}\nexport B='two'\n")
    done = cli("secret", "import", ".env")
    assert done.stdout.splitlines()[1:] == ["A", "B"]
    assert json.loads(cli("secret", "import", "-", "--json", stdin="C=3").stdout)["names"] == ["C"]
    broken = cli("secret", "import", "-", stdin=f"A=1\n{VALUE}")
    assert (broken.returncode, "Line 2" in broken.stderr) == (2, True)
    assert cli("secret", "import", "nowhere").returncode == 2
    assert VALUE not in refused.stderr + done.stdout + broken.stderr


def test_secrets_are_put_away_logged_and_encrypted_anew(cli: Run, checkout: Path) -> None:
    cli("secret", "set", "A", stdin=VALUE)
    assert cli("secret", "delete", "A").returncode == 0
    assert cli("secret", "delete", "A").returncode == 3
    assert "A" in cli("secret", "list", "--deleted").stdout
    assert "is back" in cli("secret", "restore", "A").stdout
    assert json.loads(cli("secret", "rotate-key", "--json").stdout)["moved"] == 1
    turned = cli("secret", "rotate-key", "--master")
    assert (turned.returncode, "1 data keys are wrapped anew" in turned.stdout) == (0, True)
    log = cli("secret", "log", "A").stdout
    assert "restore" in log
    sound = cli("secret", "log", "--verify")
    assert (sound.returncode, "4 rows, all as they were written" in sound.stdout) == (0, True)
    assert "ssh_key" in cli("secret", "templates").stdout
    for words in (("set", "9"), ("set", "LD_PRELOAD"), ("generate", "A", "--kind", "certificate")):
        assert cli("secret", *words, stdin=VALUE).returncode == 2
    assert cli("secret", "set", "A", stdin="").returncode == 2
