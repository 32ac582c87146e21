"""`undercroft estimate`, as a script and a person use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from undercroft.errors import InvalidInput
from undercroft.timing.checks import minutes_of
from undercroft.timing.wording import spoken

from .test_tools import Run, cli

__all__ = ["cli"]


def test_a_person_learns_from_what_was_finished(cli: Run, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    first = cli("estimate", "Mend", "the", "roof")
    assert first.returncode == 3
    assert "No task has been finished here yet" in first.stdout
    assert first.stderr.startswith("Made the project ")
    assert cli("estimate", "Mend", "the", "roof").stderr == ""
    for minutes in (20, 30, 40):
        call = ("record_execution", "title=Mend a wall", f"minutes={minutes}", "own_estimate=90")
        done = cli("call", *call, "kind=bug")
        assert done.returncode == 0, done.stderr
    told = cli("estimate", "Mend the roof", "--kind", "bug", "--own", "1h30m")
    assert told.returncode == 0
    assert "The likest of them took:" in told.stdout
    assert "bug: Mend a wall (estimated 1 h 30 min)" in told.stdout
    found = json.loads(cli("estimate", "Mend the roof", "--kind", "bug", "--json").stdout)
    assert (found["p50_minutes"], found["tasks"]) == (30, 3)
    assert found["alike"] == 3
    forged = "title=\x1b[31mMend\n  ready: all\u202e"
    assert cli("call", "record_execution", forged, "minutes=9", "kind=chore").returncode == 0
    seen = cli("estimate", "Mend the roof", "--kind", "chore").stdout
    assert "chore: \ufffd[31mMend   ready: all\ufffd" in seen
    bad = cli("estimate", "Mend the roof", "--own", "soon")
    assert (bad.returncode, "90m, 1.5h or 1h30m" in bad.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("90m", 90), ("1.5h", 90), ("1h30m", 90), ("2h", 120), ("1 h 5 min", 65)],
)
def test_a_duration_is_read_as_people_write_it(text: str, minutes: float) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "h", "soon", "-5", "1d", "1e3", "5m2h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        minutes_of(text)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        *((0.5, "30 s"), (1, "1 min"), (7.25, "7.2 min"), (59.4, "59.4 min"), (59.7, "1 h")),
        *((90, "1 h 30 min"), (120, "2 h"), (48 * 60, "48 h"), (10_000, "167 h")),
    ],
)
def test_a_duration_is_told_as_people_say_it(minutes: float, words: str) -> None:
    assert spoken(minutes) == words
