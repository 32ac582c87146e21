"""scripts/bench measures what it says and tells the truth about its targets."""

from __future__ import annotations

import importlib
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def bench(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(str(ROOT / folder) for folder in ("server", "scripts"))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        env=os.environ | {"PYTHONPATH": search} | more,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("benchmarks.figures")


def test_a_quick_run_measures_ours_beside_the_bare_driver() -> None:
    done = bench("entities.records", "--quick", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert [one["name"] for one in report["figures"]] == ["get", "create", "update"]
    for one in report["figures"]:
        assert one["ours"] > 0
        assert one["bare"] > 0
        assert one["low"] <= one["value"] <= one["high"]
        assert one["held"] == (one["value"] <= one["target"])
    assert report["targets"] == 3
    assert report["held"] == sum(one["held"] for one in report["figures"])
    assert done.returncode == (0 if report["held"] == 3 else 1)


def test_indexing_is_measured_beside_copy_and_git(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    corpus = importlib.import_module("benchmarks.corpus")
    # In place of the packages, which would have to be fetched.
    folder = corpus.folder_of(corpus.packages())
    folder.mkdir(parents=True)
    for number in range(450):
        text = f"def frobnicate_spline_{number}(spline):\n    return spline + {number}\n"
        (folder / f"module_{number}.py").write_text(text)
    (folder / "complete").touch()
    done = bench("index.repository", "--quick", "--json", XDG_CACHE_HOME=str(tmp_path))
    assert done.stderr == ""
    report = json.loads(done.stdout)
    figures = {one["name"]: one for one in report["figures"]}
    assert list(figures) == [
        "400 files",
        "peak memory",
        "second worktree",
        "bytes of a worktree",
        "nothing changed",
        "one file changed",
    ]
    assert 0 < figures["bytes of a worktree"]["ours"] < figures["bytes of a worktree"]["bare"]
    assert figures["400 files"]["bare"] > 0
    [files] = [table for table in report["tables"] if table["title"] == "What was indexed"]
    assert ["files", "400"] in files["rows"]


def test_ports_are_measured_beside_their_insert_and_full_ranges_beside_empty_ones() -> None:
    done = bench("ports", "--quick", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    figures = {one["name"]: one for one in report["figures"]}
    places = ("scattered", "last", "first")
    assert list(figures) == [
        "allocate",
        *(f"{road}, {place}" for road in ("SQL", "Ports.find") for place in places),
    ]
    assert [one["target"] for one in report["figures"]] == [2, *[5] * 6]
    assert all(one["ours"] > 0 and one["bare"] > 0 for one in report["figures"])
    [further] = report["tables"]
    assert len(further["rows"]) == 4
    assert done.returncode == (0 if report["held"] == 7 else 1)


def test_a_command_is_measured_beside_another_one_and_its_veil_beside_none() -> None:
    done = bench("run", "--quick", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    veil, start = report["figures"]
    assert (veil["name"], veil["target"], veil["at_least"]) == ("veil", 50, True)
    assert (start["name"], start["target"]) == ("run -- true", 1.5)
    assert all(one["ours"] > 0 and one["bare"] > 0 for one in (veil, start))
    assert done.returncode == (0 if report["held"] == 2 else 1)


def test_secrets_are_measured_beside_the_same_statements_without_encryption() -> None:
    done = bench("secrets", "--quick", "--json")
    assert done.stderr == ""
    report = json.loads(done.stdout)
    [store] = report["figures"]
    assert (store["name"], store["target"]) == ("encrypt and store", 1.5)
    assert store["ours"] > 0 < store["bare"]
    [further] = report["tables"]
    assert len(further["rows"]) == 2
    assert done.returncode == (0 if report["held"] == 1 else 1)


def test_an_unknown_name_is_refused_with_those_that_exist() -> None:
    done = bench("entites")
    assert done.returncode == 1
    assert (
        "'entites': entities, index, ports, run, search, search-quality, secrets, start, "
        "entities.records" in done.stderr
    )


@pytest.mark.parametrize(("ours", "held"), [(1.9, True), (2.1, False)])
def test_a_figure_over_its_target_is_missed(figures: Any, ours: float, held: bool) -> None:
    judgement = figures.Judgement(
        name="x",
        meaning="x",
        unit="ms",
        value_unit="x",
        target=2.0,
        of=figures.times_bare,
        baseline=figures.bare,
    )
    # One round of noise, on both sides alike, moves neither the median nor the verdict.
    noise = [1.0, 1.0, 9.0, 1.0, 1.0]
    figure = judgement.figure(
        {"ours": [[ours * n] * 3 for n in noise], "bare": [[1.0 * n] * 3 for n in noise]}
    )
    assert figure.value == pytest.approx(ours)
    assert figure.held is held


def test_throughput_is_held_from_below(figures: Any) -> None:
    judgement = figures.Judgement(
        name="x",
        meaning="x",
        unit="/s",
        value_unit="%",
        target=60.0,
        of=lambda sides: 100 * sides["ours"] / sides["bare"],
        at_least=True,
    )
    assert judgement.figure({"ours": [[7.0]], "bare": [[10.0]]}).held
    assert not judgement.figure({"ours": [[5.0]], "bare": [[10.0]]}).held


def test_no_question_is_asked_twice(figures: Any) -> None:
    questions = importlib.import_module("benchmarks.questions")
    words = [f"word{number}" for number in range(2_000)]
    asked = list(itertools.islice(questions.stream(words), 1_000))
    assert tuple(asked[: len(questions.QUESTIONS)]) == questions.QUESTIONS
    assert len(set(asked)) > 990


def test_a_run_of_some_parts_leaves_the_figures_of_the_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    report = importlib.import_module("benchmarks.report")
    figures = importlib.import_module("benchmarks.figures")
    docs = tmp_path / "benchmarks.md"

    def write(reason: str, *parts: str) -> None:
        found = {part: [figures.NotRun(name="x", reason=reason)] for part in parts}
        report.write_docs(found, quick=True, order=["a.b", "c.d"], to=docs)

    write("at first", "c.d")
    write("at first", "a.b")
    first = docs.read_text()
    assert first.index("## a.b") < first.index("## c.d")
    assert first.count("quick run of ") == 2
    write("anew", "a.b")
    assert docs.read_text() == first.replace("at first", "anew", 1)
