"""The command line as a person or a script uses it: real processes, one home of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from undercroft.cli.main import COMMANDS, EXIT_CODES
from undercroft.cli.tools import parse_arguments
from undercroft.entities.tools import tools as entity_tools
from undercroft.errors import InvalidInput
from undercroft.secrets.tools import tools as secret_tools
from undercroft.settings import Settings

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def cli(settings: Settings, tmp_path: Path) -> Run:
    """Run `undercroft …` in a folder of its own against the test's registry."""
    return in_folder(settings, tmp_path)


@pytest.fixture
def first_cli(first_start: Settings, tmp_path: Path) -> Run:
    """The same where nobody has run it yet."""
    return in_folder(first_start, tmp_path)


def in_folder(settings: Settings, tmp_path: Path) -> Run:
    def run(
        *words: str, stdin: str = "", folder: Path = tmp_path
    ) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "UNDERCROFT_HOME": str(settings.home),
            "UNDERCROFT_KEY_PROVIDER": "file",
            "UNDERCROFT_KEY_FOLDER": str(settings.key_folder),
            "UNDERCROFT_DATABASE_URL": settings.database_url,
            "UNDERCROFT_REGISTRY_DATABASE": settings.registry_database,
        }
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "undercroft", *words],
            env=env,
            cwd=folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_records_are_kept_from_one_command_to_the_next(first_cli: Run, project_name: str) -> None:
    created = first_cli("call", "create_project", f"name={project_name}", "--json")
    assert created.returncode == 0, created.stderr
    made = first_cli(
        "call", "create_entity", "type=task", 'data={"title":"a","status":"pending"}', "--json"
    )
    record = json.loads(made.stdout)
    assert (record["project"], record["version"]) == (project_name, 1)
    read = first_cli("call", "get_entity", f"id={record['id']}")
    assert json.loads(read.stdout)["data"] == {"title": "a", "status": "pending"}


def test_a_value_may_come_from_standard_input_or_a_file(
    cli: Run, project_name: str, tmp_path: Path
) -> None:
    cli("call", "create_project", f"name={project_name}")
    (tmp_path / "record.json").write_text('{"title":"b","status":"pending"}')
    for word in ("data=@record.json", "data=-"):
        made = cli(
            "call", "create_entity", "type=task", word, stdin='{"title":"c","status":"blocked"}'
        )
        assert made.returncode == 0, made.stderr
    found = cli("call", "query_entities", "type=task", 'sort=["title"]', "--json")
    assert [item["data"]["title"] for item in json.loads(found.stdout)["items"]] == ["b", "c"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["call", "get_projet", "name=x"], "not_found", "Did you mean get_project?"),
        (["call", "get_project", "nam=x"], "invalid_input", "Did you mean name?"),
        (["call", "get_project", "name"], "invalid_input", "key=value"),
        (["call", "get_project", "name=none_such"], "not_found", "create_project"),
        (["call", "get_entity", "id=x"], "invalid_input", "'id'"),
        (["project", "drop", "none_such", "--yes"], "not_found", "none_such"),
    ],
)
def test_a_failure_has_its_exit_code_and_says_what_to_do(
    cli: Run, words: list[str], code: str, says: str
) -> None:
    done = cli(*words)
    assert done.returncode == EXIT_CODES[code]
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_failure_as_json_is_the_agents_error(cli: Run) -> None:
    done = cli("call", "get_project", "name=none_such", "--json")
    body = json.loads(done.stdout)
    assert (body["code"], body["retryable"]) == ("not_found", False)
    assert body["call_id"]


def test_dropping_needs_an_archived_project_and_a_yes(cli: Run, project_name: str) -> None:
    cli("call", "create_project", f"name={project_name}")
    assert cli("project", "drop", project_name).returncode == EXIT_CODES["invalid_input"]
    assert cli("project", "drop", project_name, "--yes").returncode == EXIT_CODES["conflict"]
    cli("call", "archive_project", f"name={project_name}")
    dropped = cli("project", "drop", project_name, "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert cli("call", "get_project", f"name={project_name}").returncode == EXIT_CODES["not_found"]


def test_doctor_finds_a_whole_installation_and_masks_secrets(first_cli: Run) -> None:
    done = first_cli("--token", "hunter2", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pgvector" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    body = json.loads(first_cli("doctor", "--json").stdout)
    other = [finding for finding in body["findings"] if finding["verdict"] != "ok"]
    # The tests' own server does not wait for the disk, and the doctor sees that.
    assert [(finding["what"], finding["verdict"]) for finding in other] in (
        [],
        [("durability", "warning")],
    )


def test_doctor_says_what_is_wrong_when_no_server_answers(cli: Run) -> None:
    done = cli(
        "--database-url", "postgresql://u:hunter2@127.0.0.1:1/x", "--acquire-timeout", "1", "doctor"
    )
    assert done.returncode == 1
    assert "wrong" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_explains_itself(cli: Run) -> None:
    for command in COMMANDS:
        done = cli(command, "--help")
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout.startswith("usage: undercroft")


def test_a_tool_is_shown_as_an_agent_sees_it(cli: Run) -> None:
    assert "create_entity" in cli("tools").stdout
    shown = json.loads(cli("tools", "create_entity", "--json").stdout)
    assert shown["inputSchema"]["required"] == ["type", "data"]


CANARY = "sk_live_canary0123456789=="


@pytest.mark.parametrize(
    "words",
    [
        [f"value={CANARY}"],
        [f"value=@{CANARY}"],
        [f"valu={CANARY}"],
        [CANARY],
        [CANARY.rstrip("=")],
        ["value", CANARY.rstrip("=")],
    ],
)
def test_a_secrets_value_is_refused_among_the_words_and_not_repeated(words: list[str]) -> None:
    (tool,) = [tool for tool in secret_tools.tools if tool.name == "store_secret"]
    with pytest.raises(InvalidInput) as refused:
        parse_arguments(tool, ["name=A", *words])
    assert "value=-" in refused.value.hint
    assert "canary" not in str(refused.value.as_dict())


def test_a_command_with_a_secrets_value_among_its_words_does_nothing(
    cli: Run, project_name: str
) -> None:
    cli("call", "create_project", f"name={project_name}")
    done = cli("call", "store_secret", "name=A", f"value={CANARY}")
    assert done.returncode == EXIT_CODES["invalid_input"]
    assert "value=-" in done.stderr
    assert "canary" not in done.stdout + done.stderr
    assert json.loads(cli("call", "list_secrets", "--json").stdout)["items"] == []


def test_a_secrets_value_comes_from_standard_input_or_a_file_without_its_last_line_break(
    cli: Run, project_name: str, tmp_path: Path
) -> None:
    cli("call", "create_project", f"name={project_name}")
    (tmp_path / "key.txt").write_text("sk_live_0123456789abcdef\n")
    for number, word in enumerate(("value=@key.txt", "value=-"), start=1):
        stored = cli(
            "call", "store_secret", "name=A", word, "--json", stdin="sk_live_0123456789abcdef\r\n"
        )
        assert stored.returncode == 0, stored.stderr
        assert json.loads(stored.stdout)["version"] == number
    ran = cli("run", "--only", "A", "--", "sh", "-c", "printf %s $A | wc -c")
    assert ran.stdout.strip() == "24", ran.stderr


def test_what_is_no_json_is_refused_where_json_is_taken() -> None:
    (tool,) = [tool for tool in entity_tools.tools if tool.name == "create_entity"]
    with pytest.raises(InvalidInput, match="data takes object"):
        parse_arguments(tool, ["data={oops"])
    assert parse_arguments(tool, ["type=5", 'data={"a":5}']) == {"type": "5", "data": {"a": 5}}
