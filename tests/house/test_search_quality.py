"""scripts/bench search-quality scores as its data define it, on any folder of that form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import log2
from pathlib import Path
from typing import Any

import pytest
from benchmarks.quality.asking import Answer
from benchmarks.quality.checkout import checkout
from benchmarks.quality.data import Question, Repository, Target, load
from benchmarks.quality.leaving_out import chosen, leave_each_out
from benchmarks.quality.replay import LEXICAL, Replay
from benchmarks.quality.scoring import Lines, ndcg

from undercroft.codebase.ranking import Candidate, observe, rank, read
from undercroft.codebase.ranking.weights import WEIGHTS

ROOT = Path(__file__).parents[2]


def places(*paths: str) -> list[Lines]:
    return [Lines(path, 1, 10) for path in paths]


def targets(*paths: str) -> list[Target]:
    return [Target(path=path) for path in paths]


@pytest.mark.parametrize(
    ("found", "wanted", "score"),
    [
        (["a", "b"], ["a"], 1.0),
        (["b", "a"], ["a"], 1 / log2(3)),  # 0.63093
        (["b", "c", "a"], ["a"], 0.5),  # 1 / log2(4)
        (["x"] * 9 + ["a"], ["a"], 1 / log2(11)),
        (["x"] * 10 + ["a"], ["a"], 0.0),
        ([], ["a"], 0.0),
        (["a", "b"], ["b", "a"], 1.0),
        (["a", "x", "b"], ["a", "b"], 1.5 / (1 + 1 / log2(3))),  # 0.91972
        (["a"], ["a", "gone"], 1 / (1 + 1 / log2(3))),  # 0.61315
        (["a", "a", "b"], ["b"], 0.5),
        (["a"], [], 0.0),
    ],
)
def test_a_list_is_scored_by_where_its_targets_stand(found, wanted, score) -> None:
    assert ndcg(places(*found), targets(*wanted)) == pytest.approx(score, abs=1e-12)


def test_more_than_ten_targets_are_ideal_when_ten_are_found() -> None:
    names = [f"f{number}" for number in range(12)]
    assert ndcg(places(*names), targets(*names)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("first", "last", "found"),
    [(1, 19, False), (1, 20, True), (25, 26, True), (30, 40, True), (31, 40, False)],
)
def test_a_target_with_lines_is_found_by_a_chunk_that_overlaps_them(first, last, found) -> None:
    target = Target(path="a.py", start=20, end=30)
    assert (ndcg([Lines("a.py", first, last)], [target]) > 0) is found


def test_the_first_chunk_that_overlaps_counts() -> None:
    chunks = [Lines("a.py", 1, 9), Lines("a.py", 10, 19), Lines("a.py", 20, 29)]
    assert ndcg(chunks, [Target(path="a.py", start=15, end=25)]) == pytest.approx(1 / log2(3))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("lib/utils.js", "lib/utils.js", True),
        ("lib/utils.js", "utils.js", True),
        ("utils.js", "lib/utils.js", True),
        ("lib/utils.js", "src/utils.js", False),
        ("utils.js", "lib/myutils.js", False),
    ],
)
def test_paths_are_the_same_where_one_ends_the_other(one, other, same) -> None:
    assert ndcg(places(one), targets(other)) == float(same)


def test_several_targets_in_one_chunk_are_no_better_than_the_ideal() -> None:
    both = [Target(path="a", start=1, end=2), Target(path="a", start=5, end=6)]
    assert ndcg(places("a"), both) == 1.0


FILES = {
    "src/lease.py": "def renew(lease):\n    '''A stale lease is refused.'''\n    raise Stale\n",
    "src/retry.py": "def backoff(attempt):\n    '''Pauses between attempts.'''\n    return 2\n",
    "docs/lease.md": "# Leases\n\nHow leases are renewed.\n",
}


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clones(tmp_path: Path) -> Path:
    """A folder with a bare clone whose newest commit has lost a file."""
    work = tmp_path / "work"
    for name, text in FILES.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    git(tmp_path, "init", "-q", str(work))
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(work, "tag", "one")
    git(work, "rm", "-q", "src/retry.py")
    git(work, "commit", "-qm", "two")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(tmp_path / "clones" / "pool.git"))
    return tmp_path / "clones"


@pytest.fixture
def data(tmp_path: Path, clones: Path) -> Path:
    """Questions about it, about one that is nowhere, and a list with one more."""
    folder = tmp_path / "data"
    folder.mkdir()
    listed = [
        {
            "name": "pool",
            "url": "https://example.invalid/someone/pool.git",
            "revision": git(clones / "pool.git", "rev-parse", "one"),
            "benchmark_root": "src",
        },
        {"name": "gone", "url": str(tmp_path / "nowhere"), "revision": "0" * 40},
        {"name": "unasked", "url": "https://example.invalid/x/unasked", "revision": "1"},
    ]
    asked = [
        {
            "query": "where is a stale lease refused",
            "category": "semantic",
            "relevant": [{"path": "src/lease.py", "start_line": 1, "end_line": 2}],
            "secondary": [],
        },
        {
            "query": "backoff",
            "category": "symbol",
            "relevant": ["src/retry.py"],
            "secondary": ["src/never_was.py"],
        },
    ]
    (folder / "repos.json").write_text(json.dumps(listed))
    (folder / "pool.jsonl").write_text("".join(json.dumps(one) + "\n" for one in asked))
    (folder / "gone.jsonl").write_text(json.dumps(asked[0]) + "\n")
    peer = {"note": "", "mean": 0.5, "ndcg10": {"pool": 0.5}}
    (folder / "peer-results.json").write_text(json.dumps({"methods": {"peer-0123456789ab": peer}}))
    return folder


def test_a_folder_of_questions_is_read(data: Path) -> None:
    found = load(data)
    assert [one.name for one in found.repositories] == ["pool", "gone"]
    pool, gone = found.repositories
    assert (pool.root, gone.root) == ("src", "")
    assert pool.questions[0].targets == [Target(path="src/lease.py", start=1, end=2)]
    assert pool.questions[1].targets == targets("src/retry.py", "src/never_was.py")
    assert found.peers[0].scores == {"pool": 0.5}


def test_a_revision_is_checked_out_and_the_newest_where_it_cannot_be_had(
    data: Path, clones: Path, tmp_path: Path
) -> None:
    pool = load(data).repositories[0]
    tree, exact = checkout(pool, clones, tmp_path / "exact")
    assert exact
    assert (tree / "src/retry.py").exists()
    lost = Repository(name="pool", url=pool.url, revision="f" * 40, root="", questions=[])
    tree, exact = checkout(lost, clones, tmp_path / "newest")
    assert not exact
    assert not (tree / "src/retry.py").exists()


def bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(str(ROOT / folder) for folder in ("server", "scripts"))
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "search-quality", *arguments],
        env=os.environ | {"PYTHONPATH": search} | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_product_is_asked_and_what_cannot_be_asked_is_not_held(
    data: Path, clones: Path
) -> None:
    done = bench("--quick", "--json", BENCH_DATA=str(data), BENCH_REPOSITORIES=str(clones))
    assert done.stderr == ""
    report = json.loads(done.stdout)
    assert [one["name"] for one in report["not_run"]] == ["gone"]
    (figure,) = report["figures"]
    # The first is found at once; of the second one target of two exists, and stands first.
    assert figure["ours"] == pytest.approx((1 + 1 / (1 + 1 / log2(3))) / 2)
    assert figure["bare"] == 0.5
    assert figure["held"] is False
    tables = {one["title"].split(" ")[2]: one for one in report["tables"]}
    assert tables["repository"]["head"] == ["repository", "questions", "ours", "peer-0123"]
    assert tables["repository"]["rows"][0] == ["pool", "2", "0.807", "0.500"]
    assert [row[:2] for row in tables["kind"]["rows"]] == [["semantic", "1"], ["symbol", "1"]]
    assert done.returncode == 1


def test_without_data_it_says_what_to_give_and_is_not_held() -> None:
    done = bench(BENCH_DATA="", BENCH_REPOSITORIES="")
    assert "NOT RUN: it needs --data DIR" in done.stdout
    assert done.stdout.endswith("0 of 0 targets held, 1 not run\n")
    assert done.returncode == 1


def answer(query: str, wanted: str, *given: dict[str, Any]) -> Answer:
    plain = {"repository": "r", "kind": "function", "symbol": "", "lexical": 0.5, "dense": 0.5}
    candidates = [Candidate(**{"chunk": at, **plain, **one}) for at, one in enumerate(given)]
    understood = read(query)
    seen = observe(understood, candidates, {})
    found = [one.candidate for one in rank(seen, limit=10)]
    return Answer(
        question=Question(text=query, category="", targets=targets(wanted)),
        found=places(*(one.path for one in found)),
        seen=seen,
        lines=dict.fromkeys(range(len(given)), (1, 10)),
        root="",
    )


def by_words(number: int) -> Answer:
    """Only likeness in words finds it: what is called like the query is something else."""
    query = f"apple{number} pear"
    other = {"path": f"apple{number}_pear.c", "lexical": 0.9}
    return answer(query, f"w{number}.c", {"path": f"w{number}.c", "lexical": 1.0}, other)


def by_name(number: int) -> Answer:
    query = f"apple{number} pear"
    wanted = f"apple{number}_pear.c"
    return answer(query, wanted, {"path": wanted}, {"path": f"w{number}.c", "lexical": 1.0})


def test_a_replay_ranks_with_the_weights_that_it_is_given() -> None:
    replay = Replay.of({"words": [by_words(1)], "name": [by_name(2)]})
    assert replay.scores("words", LEXICAL) == (1.0,)
    assert list(replay.scores("name", LEXICAL)) == pytest.approx([1 / log2(3)])
    assert replay.scores("name", WEIGHTS) == (1.0,)
    assert replay.mean(LEXICAL, without="name") == 1.0


def test_a_replay_that_ranks_otherwise_than_the_product_is_refused() -> None:
    given = by_name(1)
    lies = Answer(**{**vars(given), "found": list(reversed(given.found))})
    with pytest.raises(RuntimeError, match="is not what was answered"):
        Replay.of({"name": [lies]})


def test_what_is_left_out_has_no_say_in_the_weights() -> None:
    replay = Replay.of(
        {"one": [by_name(1)], "two": [by_name(2)], "other": [by_words(3), by_words(4)]}
    )
    found = {one.repository: one for one in leave_each_out(replay, lambda _: None)}
    assert found["other"].weights == chosen(Replay.of({"one": [by_name(1)], "two": [by_name(2)]}))
    assert found["other"].score == pytest.approx(1 / log2(3))
    assert found["one"].weights == chosen(
        Replay.of({"two": [by_name(2)], "other": [by_words(3), by_words(4)]})
    )
