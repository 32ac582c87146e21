from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from undercroft.log import configure


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_lines_go_to_stderr_as_json_and_stdout_stays_clean(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "json")
    structlog.get_logger("x").info("call", tool="get_entity", ms=1.5)
    out, err = capsys.readouterr()
    assert out == ""
    line = json.loads(err)
    assert (line["event"], line["tool"], line["level"]) == ("call", "get_entity", "info")


def test_a_value_whose_key_speaks_of_a_secret_is_never_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "json")
    structlog.get_logger("x").info(
        "x", password="hunter2", API_KEY="hunter2", database_url="hunter2"
    )
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert err.count("[redacted]") == 3


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure("warning", "json")
    structlog.get_logger("x").info("quiet")
    structlog.get_logger("x").warning("loud")
    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["loud"]


def test_libraries_that_use_logging_come_through_without_their_arguments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "json")
    logging.getLogger("some.library").warning("rejected %s", "hunter2")
    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "rejected %s"


def test_a_failure_is_logged_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    try:
        raise ValueError("deep inside")
    except ValueError as error:
        structlog.get_logger("x").error("internal_error", exc_info=error)
    assert "deep inside" in json.loads(capsys.readouterr().err)["exception"]
