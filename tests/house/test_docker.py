"""Dockerfile and compose.yaml, as far as reading goes: no Docker engine is needed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from undercroft.settings import Settings, fields


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text("utf-8"))
    return body


@pytest.fixture(scope="module")
def dockerfile(root: Path) -> str:
    return (root / "Dockerfile").read_text("utf-8")


def test_the_readme_overrides_a_service_that_exists(root: Path, compose: dict[str, Any]) -> None:
    readme = (root / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert set(yaml.safe_load(block)["services"]) <= set(compose["services"])


def test_hadolint_finds_nothing(root: Path) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint comes for Linux on x86-64 only")
    done = subprocess.run(
        [hadolint, "Dockerfile"], cwd=root, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_an_ordinary_user_and_is_looked_after(dockerfile: str) -> None:
    last = dockerfile[dockerfile.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d+$", last, re.MULTILINE)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert f"http://127.0.0.1:{Settings(home=Path()).port}/health" in last


def test_what_the_image_copies_is_let_through_and_exists(root: Path, dockerfile: str) -> None:
    allowed = {
        line.lstrip("!").rstrip("/")
        for line in (root / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE)
    sources = {word for line in copied for word in line.split()}
    assert sources == allowed
    assert all((root / source).exists() for source in sources)


def test_every_variable_is_a_setting(dockerfile: str, compose: dict[str, Any]) -> None:
    known = {f"UNDERCROFT_{field.name.upper()}" for field in fields()}
    # Of the environment alone.
    known |= {"UNDERCROFT_KEY", "UNDERCROFT_OLD_KEYS"}
    server = compose["services"]["server"]["environment"]
    assert set(re.findall(r"\bUNDERCROFT_[A-Z_]+", dockerfile)) | set(server) <= known


def test_secrets_come_from_the_environment_and_are_demanded(compose: dict[str, Any]) -> None:
    found = 0
    for service in compose["services"].values():
        for name, value in service["environment"].items():
            if re.search(r"TOKEN|PASSWORD|URL|KEY$", name):
                assert re.search(r"\$\{[A-Z_]+:\?[^}]+\}", value), name
                found += 1
    assert found == 5


def test_only_this_machine_reaches_the_server(compose: dict[str, Any]) -> None:
    assert compose["services"]["server"]["ports"] == ["127.0.0.1:8377:8377"]
    assert "ports" not in compose["services"]["postgres"]


def test_the_database_is_healthy_before_the_server_starts_and_keeps_its_data(
    compose: dict[str, Any], root: Path
) -> None:
    server, postgres = compose["services"]["server"], compose["services"]["postgres"]
    assert server["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert postgres["healthcheck"]["test"][0] == "CMD"
    mounts = dict(volume.split(":", 1) for volume in postgres["volumes"])
    # From 18 on the image keeps its data below this folder; an older path would lose it.
    assert mounts["postgres"] == "/var/lib/postgresql"
    assert "postgres" in compose["volumes"]
    assert (root / "scripts" / "postgres-login.sql").is_file()


def test_the_server_has_time_to_finish_its_calls(compose: dict[str, Any]) -> None:
    grace = float(compose["services"]["server"]["stop_grace_period"].rstrip("s"))
    assert grace > Settings(home=Path()).shutdown_timeout
