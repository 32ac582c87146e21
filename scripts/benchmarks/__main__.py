"""`scripts/bench`: run the benchmarks that are named, all by default."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence

from benchmarks import (
    callers,
    creation,
    first_call,
    indexing,
    listing,
    memory,
    over_stdio,
    pages,
    records,
    report,
)
from benchmarks.figures import Figure
from benchmarks.frame import FULL_MINUTES, Effort, Part

PARTS: Mapping[str, Part] = {
    "entities.records": records.measure,
    "entities.callers": callers.measure,
    "entities.stdio": over_stdio.measure,
    "entities.pages": pages.measure,
    "index.repository": indexing.measure,
    "start.listing": listing.measure,
    "start.first_call": first_call.measure,
    "start.create_project": creation.measure,
    "start.memory": memory.measure,
}
"""Every benchmark; a name before the dot stands for all of its parts."""


def chosen(names: Sequence[str]) -> list[str]:
    """The parts that are meant.

    Raises:
        SystemExit: There is no benchmark of that name.

    """
    groups = sorted({part.partition(".")[0] for part in PARTS})
    for name in names:
        if name not in PARTS and name not in groups:
            raise SystemExit(f"There is no benchmark {name!r}: {', '.join([*groups, *PARTS])}.")
    return [part for part in PARTS if not names or part in names or part.partition(".")[0] in names]


async def run(parts: Sequence[str], effort: Effort, *, show: bool) -> dict[str, list[Figure]]:
    """Measure part after part; a figure is shown as soon as it is there."""
    found: dict[str, list[Figure]] = {}
    for part in parts:
        async for figure in PARTS[part](effort):
            found.setdefault(part, []).append(figure)
            if show:
                sys.stdout.write(report.line(part, figure) + "\n")
                sys.stdout.flush()
    return found


def main() -> int:
    """Run; the exit status is 1 where a target is missed."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    parser.add_argument("--quick", action="store_true", help="few rounds, small tables")
    parser.add_argument("--budget", type=float, default=FULL_MINUTES, metavar="MINUTES")
    parser.add_argument("--write-docs", action="store_true", help="rewrite docs/benchmarks.md")
    args = parser.parse_args()
    effort = Effort(quick=args.quick, minutes=args.budget, tell=_tell)
    figures = asyncio.run(run(chosen(args.names), effort, show=not args.json))
    every = [figure for group in figures.values() for figure in group]
    if args.write_docs:
        report.write_docs(figures, quick=args.quick)
    sys.stdout.write(
        report.as_json(figures, quick=args.quick) if args.json else report.last_line(every)
    )
    sys.stdout.write("\n")
    return 0 if all(figure.held for figure in every) else 1


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\033[2m… {text}\033[0m\n")


if __name__ == "__main__":
    sys.exit(main())
