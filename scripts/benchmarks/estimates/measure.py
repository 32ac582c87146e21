"""How good estimates are, beside the developer's own and beside medians of the past."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from statistics import fmean, median

from benchmarks.estimates.data import PATTERN, files, load
from benchmarks.estimates.replay import Answered, Replay
from benchmarks.figures import Finding, Judgement, Medians, NotRun, Rounds, Table, ours_alone
from benchmarks.frame import Effort
from benchmarks.ground import ask, scratch_app

PROJECT = "replayed"
ROUND = 50
"""Tasks that follow each other and are drawn together by the bootstrap: neighbours are alike."""
QUICK = 700
"""Tasks of a quick run."""
RIVALS = (("own", "the developer's own estimate", 5), ("overall", "the median of the past", 25))
CATEGORY = ("category", "the median of the same category", 25)

Loss = Callable[[Answered], float]


async def measure(effort: Effort) -> AsyncIterator[Finding]:
    """Pinball loss of P50 and P80 in hours, and how often P80 held."""
    tasks, left_out = load(effort.data, QUICK if effort.quick else None) if effort.data else ([], 0)
    if not tasks:
        yield NotRun(name="estimates", reason=f"it needs --data DIR with {PATTERN}")
        return
    async with scratch_app() as app:
        await ask(app, "create_project", name=PROJECT)
        answers = await Replay(app=app, project=PROJECT, tell=effort.tell).run(tasks)
    sources = files(tasks)
    for source in sources:
        of_file = [one for one in answers if one.task.source == source]
        suffix = f" {source}" if len(sources) > 1 else ""
        for finding in _findings(of_file, suffix) if of_file else ():
            yield finding
    yield _ground(tasks_known=len(tasks), left_out=left_out, answers=answers)


def pinball(actual: float, said: float, level: float) -> float:
    """Loss that the true quantile of a level makes least (Koenker and Bassett, 1978)."""
    return max(level * (actual - said), (level - 1) * (actual - said))


def _findings(answers: Sequence[Answered], suffix: str) -> Iterator[Finding]:
    for rival, what, target in (*RIVALS, CATEGORY):
        yield _better(rival, what, target, answers, suffix)
    told = [one for one in answers if one.p80 is not None]
    yield _p80(told, suffix)
    yield from _coverage(told, suffix)
    yield _losses(answers, told, suffix)
    yield _years(answers, suffix)


def _better(
    rival: str, what: str, target: float, answers: Sequence[Answered], suffix: str
) -> Finding:
    judgement = Judgement(
        name=f"P50, {rival}{suffix}",
        meaning=f"mean pinball loss of P50 over {len(answers)} tasks{suffix}, less than that of "
        f"{what}",
        unit="h",
        value_unit="%",
        target=target,
        of=lambda means: 100 * (1 - means["ours"] / means["rival"]),
        baseline=_rival,
        summary=fmean,
        at_least=True,
    )
    return judgement.figure(
        {"ours": _rounds(answers, _ours50), "rival": _rounds(answers, partial(_theirs50, rival))}
    )


def _p80(answers: Sequence[Answered], suffix: str) -> Finding:
    judgement = Judgement(
        name=f"P80, own{suffix}",
        meaning=f"mean pinball loss of P80 over {len(answers)} tasks{suffix}, against the "
        "developer's own estimate times the best factor of the past",
        unit="h",
        value_unit="x",
        target=1.0,
        of=lambda means: means["ours"] / means["rival"],
        baseline=_rival,
        summary=fmean,
    )
    return judgement.figure(
        {"ours": _rounds(answers, _ours80), "rival": _rounds(answers, _factor80)}
    )


def _coverage(answers: Sequence[Answered], suffix: str) -> Iterator[Finding]:
    for bound, target in (("least", 78.0), ("most", 82.0)):
        judgement = Judgement(
            name=f"P80 holds, at {bound}{suffix}",
            meaning=f"tasks{suffix} that took no longer than P80, of {len(answers)}",
            unit="%",
            value_unit="%",
            target=target,
            of=ours_alone,
            summary=fmean,
            at_least=bound == "least",
        )
        yield judgement.figure({"ours": _rounds(answers, _held80)})


def _losses(answers: Sequence[Answered], told: Sequence[Answered], suffix: str) -> Table:
    ours = [_row("ours", answers, lambda one: one.p50)]
    rivals = ("own", "overall", "category", "subcategory")
    rows = ours + [_row(name, answers, partial(_rival50, name)) for name in rivals]
    rows.append(["ours, P80", *_spread(told, _ours80)])
    rows.append(["own times the best factor, P80", *_spread(told, _factor80)])
    return Table(
        title=f"Losses{suffix}",
        head=["estimate", "median relative error %", "mean pinball h"],
        rows=rows,
    )


def _row(name: str, answers: Sequence[Answered], said: Loss) -> list[str]:
    errors = [abs(one.task.actual - said(one)) / one.task.actual for one in answers]
    loss = fmean(pinball(one.task.actual, said(one), 0.5) for one in answers)
    return [f"{name}, P50", f"{100 * median(errors):.1f}", f"{loss:.4f}"]


def _spread(answers: Sequence[Answered], loss: Loss) -> list[str]:
    return ["", f"{fmean(map(loss, answers)):.4f}"] if answers else ["", ""]


def _years(answers: Sequence[Answered], suffix: str) -> Table:
    rows = []
    for year in sorted({one.task.estimated_on.year for one in answers}):
        of_year = [one for one in answers if one.task.estimated_on.year == year]
        gain = 1 - fmean(map(_ours50, of_year)) / fmean(
            partial(_theirs50, "own")(o) for o in of_year
        )
        rows.append(
            [
                str(year),
                str(len(of_year)),
                f"{100 * gain:.1f}",
                *(f"{100 * _share(of_year, level):.1f}" for level in ("p50", "p80", "p95")),
            ]
        )
    head = ["year", "tasks", "P50 better than own %", "within P50 %", "P80 %", "P95 %"]
    return Table(title=f"By year of the estimate{suffix}", head=head, rows=rows)


def _share(answers: Sequence[Answered], level: str) -> float:
    told = [one for one in answers if getattr(one, level) is not None]
    return fmean(one.task.actual <= getattr(one, level) for one in told) if told else float("nan")


def _ground(*, tasks_known: int, left_out: int, answers: Sequence[Answered]) -> Table:
    asked = [one.agreed for one in answers if one.agreed is not None]
    rows = [
        ["tasks replayed", str(tasks_known)],
        ["rows without an estimate, a time or a day", str(left_out)],
        ["tasks before the first was finished, not judged", str(tasks_known - len(answers))],
        ["judged tasks that P80 could not be told for", str(sum(o.p80 is None for o in answers))],
        ["asked over the whole road of a tool as well", str(len(asked))],
        ["of them with the same answer", str(sum(asked))],
    ]
    return Table(title="What was replayed", head=["what", "how many"], rows=rows)


def _rounds(answers: Sequence[Answered], loss: Loss) -> Rounds:
    values = [loss(one) for one in answers]
    return [values[at : at + ROUND] for at in range(0, len(values), ROUND)]


def _rival(means: Medians) -> float:
    return means["rival"]


def _rival50(name: str, one: Answered) -> float:
    return one.rivals[name]


def _theirs50(name: str, one: Answered) -> float:
    return pinball(one.task.actual, one.rivals[name], 0.5)


def _ours50(one: Answered) -> float:
    return pinball(one.task.actual, one.p50, 0.5)


def _ours80(one: Answered) -> float:
    return pinball(one.task.actual, one.p80 or 0.0, 0.8)


def _factor80(one: Answered) -> float:
    return pinball(one.task.actual, one.rivals["factor80"], 0.8)


def _held80(one: Answered) -> float:
    return 100.0 * (one.task.actual <= (one.p80 or 0.0))
