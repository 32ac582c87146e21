"""How good the answers of code search are, beside what peers published for the same questions."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.figures import Figure, Finding, Judgement, Medians, NotRun, ours_alone
from benchmarks.frame import Effort
from benchmarks.ground import scratch_app
from benchmarks.quality import tables
from benchmarks.quality.asking import Asked, answers
from benchmarks.quality.checkout import checkout
from benchmarks.quality.data import Peer, Repository, load
from benchmarks.quality.leaving_out import chosen, leave_each_out
from benchmarks.quality.replay import Replay
from undercroft.app import App

TARGET = 0.87
NO_DATA = (
    "it needs --data DIR (repos.json and <repository>.jsonl, peer-results.json if there is one) "
    "and --repositories DIR (git clones), or the network"
)


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """Mean NDCG@10, what is behind it, and how far it rests on the choice of weights."""
    if effort.data is None:
        yield NotRun(name="mean NDCG@10", reason=NO_DATA)
        return
    data = load(effort.data)
    asked: dict[str, Asked] = {}
    async with scratch_app() as app:
        for repository in data.repositories:
            effort.tell(f"search-quality: {repository.name}")
            try:
                asked[repository.name] = await _ask(app, repository, effort.repositories)
            except subprocess.CalledProcessError as error:
                said = error.stderr.decode(errors="replace").strip().rpartition("\n")[2]
                yield NotRun(name=repository.name, reason=f"git cannot have it: {said}")
    for finding in _findings(asked, data.peers, effort) if asked else ():
        yield finding


async def _ask(app: App, repository: Repository, clones: Path | None) -> Asked:
    with tempfile.TemporaryDirectory(prefix="undercroft-bench-") as folder:
        tree, exact = checkout(repository, clones, Path(folder))
        return Asked(answers=await answers(app, repository, tree), exact=exact)


def _findings(
    asked: Mapping[str, Asked], peers: Sequence[Peer], effort: Effort
) -> Iterator[Finding]:
    scores = {name: one.score for name, one in asked.items()}
    yield _mean("mean NDCG@10", "semantic_search as agents call it", scores, peers)
    replay = Replay.of({name: one.answers for name, one in asked.items()})
    # Nothing is chosen on a single repository that is left out.
    left_out = leave_each_out(replay, effort.tell) if not effort.quick and len(asked) > 1 else []
    if left_out:
        others = {one.repository: one.score for one in left_out}
        meaning = "each repository with weights chosen on the others alone"
        yield _mean("leave-one-out NDCG@10", meaning, others, peers)
    yield tables.by_repository(asked, left_out, peers)
    yield tables.by_category(replay)
    yield tables.ablation(replay)
    if left_out:
        yield tables.moves(chosen(replay), left_out)


def _mean(name: str, what: str, scores: Mapping[str, float], peers: Sequence[Peer]) -> Figure:
    """The mean over repositories, beside the best peer that has results for all of them."""
    whole = [peer for peer in peers if scores.keys() <= peer.scores.keys()]
    best = max(whole, key=lambda one: fmean(one.scores[name] for name in scores), default=None)
    sides = {"ours": [[score] for score in scores.values()]}
    if best:
        sides["peer"] = [[best.scores[name]] for name in scores]
    judgement = Judgement(
        name=name,
        meaning=f"mean NDCG@10 over {len(scores)} repositories, {what}; "
        + (f"beside the best peer, {best.name}" if best else "no peer has results for all of them"),
        unit="NDCG",
        value_unit="NDCG",
        target=TARGET,
        of=ours_alone,
        baseline=_peer if best else None,
        summary=fmean,
        at_least=True,
    )
    return judgement.figure(sides)


def _peer(means: Medians) -> float:
    return means["peer"]
