"""Ten times as many files: all of them are indexed, and each costs what it did before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from benchmarks import corpus
from benchmarks.figures import Finding, Judgement, Table, bare, times_bare
from benchmarks.frame import Effort
from benchmarks.ground import ask, bare_connection, scratch_app, scratch_home
from benchmarks.indexing_trial import Trial
from benchmarks.recall import recall
from benchmarks.resources import watched
from undercroft.app import App

SMALL, LARGE = 10_000, 100_000
QUICK_SMALL, QUICK_LARGE = 1_000, 4_000


def cost(small: int, large: int) -> Judgement:
    """How the cost of a file grows."""
    return Judgement(
        name=f"{large:,} files",
        meaning=f"a thousand of {large:,} files, until all are searchable, beside a thousand of "
        f"{small:,} files of the same packages: linear, if at most a quarter more",
        unit="s",
        value_unit="x",
        target=1.25,
        of=times_bare,
        baseline=bare,
    )


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """Two sizes, once each: the large one takes minutes."""
    small, large = (QUICK_SMALL, QUICK_LARGE) if effort.quick else (SMALL, LARGE)
    with scratch_home() as home:
        async with scratch_app() as app:
            few, _ = await _indexed(app, small, home / "small", effort)
            many, tables = await _indexed(app, large, home / "large", effort, settle=True)
            sides = {"ours": [[1_000 * many / large]], "bare": [[1_000 * few / small]]}
            yield cost(small, large).figure(sides)
            async with bare_connection(app, _database(large)) as connection:
                effort.tell("index: recall of the graph")
                yield await recall(connection, f"recall {large:,} files", f"{large:,} real files")
            for table in tables:
                yield table


async def _indexed(
    app: App, count: int, root: Path, effort: Effort, *, settle: bool = False
) -> tuple[float, list[Table]]:
    """Seconds until all are searchable, and what else is told; `settle`: the graph is built too."""
    effort.tell(f"index: {count:,} files from the registries")
    corpus.lay_out(count, root, large=not effort.quick)
    project = _project(count)
    await ask(app, "create_project", name=project)
    async with bare_connection(app, _database(count)) as connection:
        trial = Trial(database=(await app.open(project)).database, connection=connection)
        effort.tell(f"index: {count:,} files")
        with watched() as peak:
            seconds = await trial.index(root, settle=settle)
        report = trial.report
        assert report is not None  # noqa: S101 - just indexed
        left_out = sum(report.omitted.values())
        if report.files + left_out != count:
            raise RuntimeError(f"{count} files: {report.files} indexed, {left_out} left out")
        memory = f"{peak.bytes / 1e6:.0f} MB"
        tables = await trial.tables(root, seconds=f"{seconds:.1f}", peak=memory)
        await trial.indexer.end()
        return seconds, tables


def _project(count: int) -> str:
    return f"growth{count}"


def _database(count: int) -> str:
    return f"project_{_project(count)}"
