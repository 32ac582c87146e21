"""Time and estimates as tools."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from undercroft.mcp.toolset import Toolset
from undercroft.paging import Page
from undercroft.timing.models import Estimate, Execution, Report, Task
from undercroft.timing.service import Timing

tools = Toolset("timing")

Names = list[str]


def _task(title: str, kind: str, labels: Names, complexity: float, own_estimate: float) -> Task:
    """A task out of a tool's arguments, where 0 stands for what is not known."""
    return Task(
        title=title,
        kind=kind,
        labels=labels,
        complexity=complexity or None,
        own_minutes=own_estimate or None,
    )


@tools.read
async def get_recommended_estimate(  # noqa: PLR0913, PLR0917 - what is known of a task
    timing: Timing,
    title: str,
    kind: str = "",
    labels: Names = [],  # noqa: B006 - never changed
    complexity: float = 0,
    own_estimate: float = 0,
) -> Estimate:
    """How long a task will take, from this project's finished ones: P50, P80, P95 in minutes.

    own_estimate: yours, in minutes; corrected by how the `estimate` of past work items came out.
    """
    return await timing.recommend(_task(title, kind, labels, complexity, own_estimate))


@tools.write(toolset="timing_admin", idempotent=True)
async def start_timer(  # noqa: PLR0913, PLR0917 - what is known of a task
    timing: Timing,
    title: str = "",
    item: str = "",
    kind: str = "",
    labels: Names = [],  # noqa: B006 - never changed
    complexity: float = 0,
    own_estimate: float = 0,
    resume: str = "",
) -> Execution:
    """Start the clock of a task; returns its timer. resume: go on with that paused timer.

    item: a work item, which has one clock. A claim starts and stops it, and nobody else.
    """
    if resume:
        return await timing.resume(resume)
    return await timing.start(_task(title, kind, labels, complexity, own_estimate), item=item)


@tools.write(toolset="timing_admin")
async def stop_timer(
    timing: Timing,
    timer: str,
    outcome: Literal["finished", "paused", "abandoned"] = "finished",
    factors: Names = [],  # noqa: B006 - never changed
) -> Execution:
    """Stop a timer (or a work item's), to be learned from where it is finished.

    factors: what made it longer or shorter, such as "flaky tests".
    """
    return await timing.stop(timer, outcome, factors)


@tools.write(toolset="timing_admin")
async def record_execution(  # noqa: PLR0913, PLR0917 - what a finished task consists of
    timing: Timing,
    title: str,
    minutes: float,
    kind: str = "",
    labels: Names = [],  # noqa: B006 - never changed
    complexity: float = 0,
    own_estimate: float = 0,
    item: str = "",
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    factors: Names = [],  # noqa: B006 - never changed
) -> Execution:
    """Keep a finished task whose minutes of active time were measured elsewhere."""
    return await timing.record(
        _task(title, kind, labels, complexity, own_estimate),
        minutes,
        item=item,
        started_at=started_at,
        finished_at=finished_at,
        factors=factors,
    )


@tools.read(toolset="timing_admin")
async def list_executions(
    timing: Timing,
    item: str = "",
    open: bool = False,  # noqa: A002 - what it is called everywhere
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
    cursor: str = "",
) -> Page[Execution]:
    """List tasks with their time, the latest begun first. open: only those not finished."""
    return await timing.page(item, open_only=open, limit=limit, cursor=cursor)


@tools.read(toolset="timing_admin")
async def get_estimation_report(timing: Timing) -> Report:
    """Show how estimates came out: in all, by asker and kind, by week, by factor."""
    return await timing.report()
