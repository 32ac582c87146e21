"""scripts/torture holds its promises in a short run, and notices when one is broken."""

from __future__ import annotations

import base64
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

ROOT = Path(__file__).parents[2]


def torture(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(str(ROOT / folder) for folder in ("server", "scripts"))
    return subprocess.run(
        [sys.executable, "-m", "tortures", *arguments],
        env=os.environ | {"PYTHONPATH": search} | ({"TMPDIR": str(folder)} if folder else {}),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that PostgreSQL's user can come to; root's pytest closes its own to others."""
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def left_behind(folder: str) -> list[str]:
    """Processes that a run has started and not ended."""
    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return [line for line in lines if folder in line]


@pytest.mark.parametrize(
    "scenario",
    [
        *("crashes", "one_record", "projects", "many_projects", "many_servers", "cancellations"),
        *("indexing", "hostile_trees", "masking", "ports", "children", "secrets", "work"),
    ],
)
def test_a_short_run_holds(scenario: str, scratch: Path) -> None:
    done = torture(scenario, "--quick", "--json", folder=scratch)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert [one for one in report["invariants"] if one["verdict"] == "BROKEN"] == []
    assert done.returncode == 0, report
    assert left_behind(str(scratch)) == []


def test_migrations_hold_whatever_kills_them() -> None:
    done = torture("migrations", "--quick", "--json")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("fault", "scenario"),
    [
        ("version", "one_record"),
        ("lock", "projects"),
        ("link", "hostile_trees"),
        ("mask", "masking"),
        ("constraint", "ports"),
        ("probe", "ports"),
        ("place", "secrets"),
        ("held", "children"),
        ("base64", "children"),
        ("fence", "work"),
    ],
)
def test_a_planted_fault_is_caught(fault: str, scenario: str) -> None:
    done = torture(scenario, "--quick", "--plant", fault)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout


def test_an_unknown_scenario_is_refused_with_those_that_exist() -> None:
    done = torture("nonsense")
    assert done.returncode == 1
    assert "crashes, one_record" in done.stderr


def test_a_run_in_which_too_little_happened_counts_for_nothing(parts: Any) -> None:
    invariants = parts("tortures.invariants")
    idle = [invariants.at_least("calls", 1, 2, ""), invariants.none_of("lost", [], "")]
    assert invariants.status({"x": idle}) == 2
    assert invariants.last_line({"x": idle}) == "1 of 2 invariants held"
    assert "INVALID" in invariants.line("x", idle[0])
    broken = [*idle, invariants.none_of("lost", ["a"], "")]
    assert invariants.status({"x": broken}) == 1


def rows() -> list[dict[str, Any]]:
    return [
        {"entity": "e", "version": n, "operation": "update", "token": f"t{n}"} for n in (1, 2, 3)
    ]


def changes() -> list[dict[str, Any]]:
    return [
        {"token": f"t{n}", "tool": "x", "began": n, "ended": n + 0.5, "entity": "e", "version": n}
        for n in (1, 2, 3)
    ]


def broken_in(parts: Any, stored: list[dict[str, Any]], made: list[dict[str, Any]]) -> set[str]:
    history = parts("tortures.history")
    found = history.Stored(
        rows=[history.Row(**row) for row in stored],
        current={"e": max(row["version"] for row in stored)},
    )
    judged = history.judge([history.Change(**change) for change in made], found)
    return {one.name for one in judged if one.figure}


def test_a_whole_history_is_no_reason_to_complain(parts: Any) -> None:
    assert broken_in(parts, rows(), changes()) == set()


def test_a_lost_change_is_noticed(parts: Any) -> None:
    assert broken_in(parts, rows()[:2], changes()) == {"acknowledged writes lost"}


def test_another_writers_value_is_noticed(parts: Any) -> None:
    stored = [*rows()[:2], rows()[2] | {"token": "other"}]
    assert broken_in(parts, stored, changes()) == {"acknowledged writes lost"}


def test_a_change_applied_twice_is_noticed(parts: Any) -> None:
    stored = [*rows(), rows()[1] | {"version": 4}]
    assert broken_in(parts, stored, changes()) == {"writes applied twice"}


def test_a_gap_is_noticed(parts: Any) -> None:
    assert "gaps in versions" in broken_in(parts, [rows()[0], rows()[2]], changes())


def test_a_change_that_was_refused_and_made_is_noticed(parts: Any) -> None:
    made = [*changes()[:2], changes()[2] | {"version": 0, "refusal": "conflict"}]
    assert broken_in(parts, rows(), made) == {"refused yet applied"}


def test_a_version_given_to_two_is_noticed(parts: Any) -> None:
    made = [*changes(), changes()[0] | {"token": "t4", "version": 2, "began": 1.1}]
    assert "versions given twice" in broken_in(parts, rows(), made)


def test_an_order_against_real_time_is_noticed(parts: Any) -> None:
    made = [changes()[0] | {"began": 9, "ended": 10}, *changes()[1:]]
    assert broken_in(parts, rows(), made) == {"against real time"}


def test_a_value_is_found_in_every_form_at_every_place(parts: Any) -> None:
    canaries = parts("tortures.secret_canaries")
    value, other = canaries.canary(), canaries.canary()
    search = canaries.Search(values={"it": value, "other": other})
    raw = value.encode()
    forms = [raw, raw.hex().encode(), raw.hex().upper().encode(), quote(value, safe="").encode()]
    forms += [base64.b64encode(b"x" * before + raw + b"yy") for before in range(3)]
    forms += [base64.urlsafe_b64encode(b"user:" + raw)]
    for form in forms:
        for before in (0, 1, 7, 8, canaries.CHUNK - 5):
            assert search.find(b"." * before + form + b"...") == {"it"}, form
    assert search.find(b"") == search.find(raw[-4:]) == set()
    assert search.find(raw + other.encode()) == {"it", "other"}


def asked(do: str, process: int, began: float, *ports: int, **facts: Any) -> dict[str, Any]:
    """A question that was answered a second later."""
    who = f"left /tree/{process} single-0"
    return {"do": do, "process": process, "who": who, "began": began, "ended": began + 1} | {
        "ports": [*ports],
        "wanted": len(ports),
        **facts,
    }


@pytest.fixture
def wrong(parts: Any) -> Any:
    """What is wrong with some questions, and with foreign programs on ports from when to when."""
    deeds, holds = parts("tortures.port_deeds"), parts("tortures.port_holds")
    strangers = parts("tortures.port_strangers")

    def found(
        *made: dict[str, Any],
        deaths: dict[int, float] | None = None,
        foreign: tuple[tuple[int, float, float], ...] = (),
    ) -> set[str]:
        story = holds.told([deeds.Deed(**one) for one in made], deaths or {}, "/stable")
        stays = [
            strangers.Stay(port=port, kind="TCP", began=began, ended=ended)
            for port, began, ended in foreign
        ]
        kinds = {
            "double": [*holds.doubles(story.holds)],
            "foreign": [*holds.on_strangers(story.holds, stays)],
            "moved": story.moved,
            "torn": story.torn,
            "early": story.early,
        }
        return {name for name, faults in kinds.items() if faults}

    return found


def test_a_port_that_is_given_on_after_its_release_is_no_double(wrong: Any) -> None:
    first, second = asked("allocate", 1, 0, 30_500), asked("allocate", 2, 5.5, 30_500)
    assert wrong(first, asked("release", 1, 5, 30_500), second) == set()
    assert wrong(first, second, deaths={1: 4}) == set()
    assert wrong(first, asked("release", 1, 5, ended=None), second) == set()


def test_a_port_that_two_have_at_once_is_noticed(wrong: Any) -> None:
    first, second = asked("allocate", 1, 0, 30_500), asked("allocate", 2, 5.5, 30_500)
    assert wrong(first, second) == {"double"}
    assert wrong(first, asked("release", 1, 8, 30_500), second) == {"double"}


def test_a_reservation_is_its_projects_until_its_time_and_no_longer(wrong: Any) -> None:
    held = asked("reserve", 1, 0, 30_500, who="r", project="left", ttl=4, until=4.5)
    assert wrong(held, asked("allocate", 2, 2, 30_500)) == {"double"}
    assert wrong(held, asked("allocate", 2, 4, 30_500)) == set()
    assert wrong(held, asked("allocate", 2, 2, 30_500, takes=("left", 30_500))) == set()
    longer = asked("renew", 1, 2, who="r", ttl=4, until=6.5)
    assert wrong(held, longer, asked("allocate", 2, 4, 30_500)) == {"double"}
    assert wrong(held, asked("renew", 1, 2, who="r", code="not_found")) == {"early"}


def test_an_asker_that_is_told_another_port_is_noticed(wrong: Any) -> None:
    assert wrong(asked("allocate", 1, 0, 1), asked("allocate", 1, 2, 2)) == {"moved"}
    shared = {"who": "left /stable stable-0"}
    lasting = [asked("allocate", 1, 0, 1, **shared), asked("allocate", 2, 2, 1, **shared)]
    assert wrong(*lasting) == set()
    assert wrong(*lasting, asked("allocate", 3, 4, 2, **shared)) == {"moved"}


def test_an_answer_in_part_is_noticed(wrong: Any) -> None:
    assert wrong(asked("allocate", 1, 0, 1, 2, wanted=3)) == {"torn"}
    assert wrong(asked("allocate", 1, 0, 1, 3, contiguous=True)) == {"torn"}
    assert wrong(asked("allocate", 1, 0, 1, 3)) == set()


def test_only_a_foreign_program_that_was_there_before_counts(wrong: Any) -> None:
    given = asked("allocate", 1, 5, 30_500)
    assert wrong(given, foreign=((30_500, 4, 9),)) == {"foreign"}
    assert wrong(given, foreign=((30_500, 5.5, 9), (30_500, 4, 5.5), (30_501, 4, 9))) == set()
    # It may have been given by the question whose answer was lost.
    lost = asked("allocate", 1, 3, ended=None)
    assert wrong(lost, given, foreign=((30_500, 4, 9),)) == set()


def test_a_run_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    search = os.pathsep.join(str(ROOT / folder) for folder in ("server", "scripts"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tortures", "crashes"],
        env=os.environ | {"PYTHONPATH": search, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def started() -> list[psutil.Process]:
        return psutil.Process(process.pid).children(recursive=True)

    while process.poll() is None and len(started()) < 3:
        process.poll()
    children = started()
    process.terminate()
    assert process.wait(timeout=60) == 130
    psutil.wait_procs(children, timeout=10)
    assert [child for child in children if child.is_running()] == []
    assert left_behind(str(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_given_back_in_the_moment_of_death_is_not_missed(parts: Any) -> None:
    holds = parts("tortures.port_holds")
    own = [asked("allocate", 1, 0, 1), asked("allocate", 1, 1, 2, who="left /trees/1 other")]
    deeds = parts("tortures.port_deeds")
    told = [deeds.Deed(**one) for one in (*own, asked("release", 1, 4.2, ended=None))]
    found = holds.told(told, {1: 4.0}, "/stable").holds
    assert {hold.port: (hold.end, hold.released) for hold in found} == {
        1: (4.0, True),
        2: (4.0, False),
    }
