"""What the README promises holds: its tables are fresh and its code runs."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from undercroft.cli.main import make_parser
from undercroft.settings import fields, load_settings

README = Path(__file__).resolve().parents[2] / "README.md"
TEXT = README.read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def load_docs(root: Path) -> Any:
    spec = importlib.util.spec_from_file_location("docs", root / "scripts" / "docs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_fresh(root: Path) -> None:
    assert load_docs(root).fresh(TEXT) == TEXT, "run scripts/docs"


def test_a_stale_table_is_noticed(root: Path) -> None:
    stale = TEXT.replace("| `create_entity` |", "| `create_something` |")
    assert stale != TEXT
    assert load_docs(root).fresh(stale) == TEXT


def test_the_python_example_runs(environment: dict[str, str], tmp_path: Path) -> None:
    (example,) = blocks("python")
    command = [sys.executable, "-W", "error", "-c", example]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "['Bake bread']\n"), done.stderr
    assert done.stderr == ""


def shell_commands() -> list[list[str]]:
    lines = "\n".join(blocks("sh")).splitlines()
    return [shlex.split(line) for line in lines if line.startswith("undercroft ")]


def test_the_commands_of_the_readme_run(environment: dict[str, str], tmp_path: Path) -> None:
    block = next(block for block in blocks("sh") if "undercroft call" in block)
    (tmp_path / "lease.py").write_text(
        "def renew(lease):\n    raise StaleLease  # a stale lease is refused\n"
    )
    ran = 0
    for line in block.splitlines():
        words = shlex.split(line)
        command = [sys.executable, "-W", "error", "-m", *words]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        ran += 1
    assert ran == 11


@pytest.mark.parametrize("words", shell_commands(), ids=" ".join)
def test_every_command_shown_is_understood(words: list[str]) -> None:
    make_parser().parse_args(words[1:])


def test_every_json_block_is_a_client_configuration() -> None:
    configurations = [json.loads(block) for block in blocks("json")]
    assert len(configurations) == 2
    for configuration in configurations:
        assert "command" in configuration["mcpServers"]["undercroft"]


def test_every_script_and_file_named_exists(root: Path) -> None:
    for name in set(re.findall(r"\bscripts/[a-z]+", TEXT)):
        path = root / name
        assert path.stat().st_mode & 0o111, f"{name} cannot be executed"
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", TEXT):
        assert (root / name).exists()


def test_every_variable_named_is_a_setting() -> None:
    known = {f"UNDERCROFT_{field.name.upper()}" for field in fields()} | {"UNDERCROFT_DB_PASSWORD"}
    # Of the environment alone.
    known |= {"UNDERCROFT_KEY", "UNDERCROFT_OLD_KEYS"}
    assert set(re.findall(r"UNDERCROFT_[A-Z_]+", TEXT)) == known


def test_every_setting_has_a_sentence() -> None:
    for field in fields():
        assert re.fullmatch(r"\S.{8,}\.", field.metadata["help"]), field.name


def test_the_models_that_are_shown_can_be_offered(tmp_path: Path) -> None:
    (example,) = blocks("toml")
    (tmp_path / "config.toml").write_text(example)
    settings = load_settings({"home": str(tmp_path)}, {})
    assert [offer.name for offer in settings.embedding_models] == ["nomic", "openai", "minilm"]
