"""`undercroft run` and `undercroft secret inject`, as scripts, agents and people use them."""

from __future__ import annotations

import base64
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from undercroft.cli.main import EXIT_CODES
from undercroft.settings import Settings

from .test_tools import Run, cli

__all__ = ["cli"]

VALUE = "sk_live_0123456789abcdef"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The folder that the commands run in is a checkout."""
    (tmp_path / ".git").mkdir()
    return tmp_path


@pytest.fixture
def stored(cli: Run, checkout: Path) -> Path:
    """A project with two secrets and a port."""
    done = cli("secret", "import", "-", stdin=f"API_KEY={VALUE}\nOTHER=another-value\n")
    assert done.returncode == 0, done.stderr
    assert cli("port", "web", "--preferred", "15701").returncode == 0
    return checkout


def test_a_command_has_secrets_and_ports_and_shows_only_the_ports(cli: Run, stored: Path) -> None:
    done = cli("run", "--", "sh", "-c", 'echo "$API_KEY $OTHER $WEB_PORT"; exit 5')
    assert done.stdout == "***API_KEY*** ***OTHER*** 15701\n"
    assert done.returncode == 5
    some = cli(
        "run", "--only", "API_KEY", "--no-ports", "sh", "-c", "echo $API_KEY,$OTHER,$WEB_PORT"
    )
    assert some.stdout == "***API_KEY***,,\n"
    none = cli("run", "--no-secrets", "sh", "-c", "echo $API_KEY,$WEB_PORT")
    assert none.stdout == ",15701\n"
    proof = cli("run", "--", "sh", "-c", "echo ${#API_KEY}")
    assert proof.stdout == f"{len(VALUE)}\n"
    log = cli("secret", "log")
    assert "run sh" in log.stdout


def test_no_value_is_told_at_the_most_talkative(cli: Run, stored: Path) -> None:
    done = cli("--log-level", "debug", "run", "--", "sh", "-c", "env; env >&2; env | base64 -w0")
    assert done.returncode == 0
    assert "API_KEY=***API_KEY***" in done.stdout
    assert "API_KEY=***API_KEY***" in done.stderr
    said = done.stdout + done.stderr
    for value in (VALUE, "another-value"):
        assert value not in said
        for at in range(3):
            middle = base64.b64encode(b"x" * at + value.encode()).decode()[4:-4]
            assert middle not in said


def test_our_own_keys_stay_with_us(cli: Run, stored: Path) -> None:
    done = cli("--token", "t", "run", "--", "sh", "-c", "echo $UNDERCROFT_HOME,$UNDERCROFT_TOKEN")
    assert done.stdout.endswith("home,\n")


def test_a_command_without_any_secret_takes_our_place(cli: Run, checkout: Path) -> None:
    done = cli("run", "--no-secrets", "--no-ports", "--", "sh", "-c", "kill -TERM $$")
    assert done.returncode == -15
    assert cli("run", "sh", "-c", "exit 3").returncode == 3


def test_nothing_is_started_where_something_is_missing(cli: Run, stored: Path) -> None:
    mark = stored / "started"
    start = ("touch", str(mark))
    missing = cli("run", "--only", "API_KEI", "--", *start)
    assert (missing.returncode, "API_KEY" in missing.stderr) == (3, True)
    # A server that only does not answer would be waited for.
    nowhere = ("--home", str(stored / "home"), "--postgres-bindir", str(stored / "no-programs"))
    away = cli("--database-url", "", *nowhere, "run", "--", *start)
    assert away.returncode in EXIT_CODES.values()
    assert "no PostgreSQL programs" in away.stderr
    assert cli("run", "--only", "A", "--no-secrets", "--", *start).returncode == 2
    assert cli("run").returncode == 2
    assert cli("run", "--").returncode == 2
    keyless = cli("--key-provider", "file", "--key-folder", str(stored), "run", "--", *start)
    assert keyless.returncode != 0
    assert not mark.exists()


def test_what_is_no_command_has_the_status_of_a_shell(cli: Run, checkout: Path) -> None:
    absent = cli("run", "--", "no-such-command")
    assert (absent.returncode, "no command no-such-command" in absent.stderr) == (127, True)
    (checkout / "text").write_text("no program")
    refused = cli("run", "--", "./text")
    assert (refused.returncode, "cannot be executed" in refused.stderr) == (126, True)


def test_a_value_that_is_too_short_is_named(cli: Run, checkout: Path) -> None:
    cli("secret", "set", "PIN", stdin="1234")
    done = cli("run", "--", "sh", "-c", "echo $PIN")
    assert done.stdout == "1234\n"
    assert done.stderr == "undercroft: too short to be hidden in the output: PIN\n"


def test_a_template_is_filled_into_a_private_file(cli: Run, stored: Path) -> None:
    (stored / "t").write_text("key: {{ API_KEY }}\nport: {{ WEB_PORT }}\n")
    done = cli("secret", "inject", "t", "-o", ".env")
    assert done.returncode == 0, done.stderr
    assert VALUE not in done.stdout + done.stderr
    assert (stored / ".env").read_text() == f"key: {VALUE}\nport: 15701\n"
    assert (stored / ".env").stat().st_mode & 0o777 == 0o600
    assert "inject t" in cli("secret", "log", "API_KEY").stdout


def test_what_a_template_lacks_is_named_and_nothing_is_written(cli: Run, stored: Path) -> None:
    (stored / "t").write_text("{{ API_KEY }}\n{{ NONE }} {{ DB_PORT }}\n")
    done = cli("secret", "inject", "t", "-o", "out")
    assert done.returncode == 3
    assert "NONE (line 2), DB_PORT (line 2)" in done.stderr
    assert not (stored / "out").exists()
    assert cli("secret", "inject", "t", "-o", "t").returncode == 2
    assert (stored / "t").read_text().startswith("{{ API_KEY }}")


def test_values_are_printed_to_a_person_only(
    cli: Run, stored: Path, settings: Settings, tmp_path: Path
) -> None:
    (stored / "t").write_text("{{ API_KEY }}\n")
    piped = cli("secret", "inject", "t")
    assert (piped.returncode, piped.stdout) == (6, "")
    assert "-o FILE" in piped.stderr
    ours, theirs = pty.openpty()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "UNDERCROFT_HOME": str(settings.home),
        "UNDERCROFT_DATABASE_URL": settings.database_url,
        "UNDERCROFT_REGISTRY_DATABASE": settings.registry_database,
    }
    words = [sys.executable, "-m", "undercroft", "secret", "inject", "t"]
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=stored
    ) as person:
        assert person.wait(timeout=60) == 0
    said = b""
    while select.select([ours], [], [], 0)[0]:
        said += os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert said == f"{VALUE}\r\n".encode()
