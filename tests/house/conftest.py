"""The house as a whole: its tree, and processes as a user starts them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from undercroft.settings import Settings


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def bare_environment(first_start: Settings, tmp_path: Path) -> dict[str, str]:
    """What a process gets that knows of nothing but the test's own registry."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "UNDERCROFT_HOME": str(first_start.home),
        "UNDERCROFT_KEY_PROVIDER": "file",
        "UNDERCROFT_KEY_FOLDER": str(first_start.key_folder),
        "UNDERCROFT_DATABASE_URL": first_start.database_url,
        "UNDERCROFT_REGISTRY_DATABASE": first_start.registry_database,
        "UNDERCROFT_LOG_LEVEL": "warning",
    }


@pytest.fixture
def environment(bare_environment: dict[str, str]) -> dict[str, str]:
    """The same, with this checkout's modules."""
    return bare_environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
