"""`scripts/bench`: run the benchmarks that are named, all by default."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import (
    callers,
    creation,
    first_call,
    full_ranges,
    indexing,
    indexing_growth,
    listing,
    memory,
    over_stdio,
    pages,
    ports,
    records,
    report,
    running,
    search_lines,
    search_quality,
    searching,
    secrets,
)
from benchmarks.figures import Figure, Finding, NotRun
from benchmarks.frame import FULL_MINUTES, Effort, Part

PARTS: Mapping[str, Part] = {
    "entities.records": records.measure,
    "entities.callers": callers.measure,
    "entities.stdio": over_stdio.measure,
    "entities.pages": pages.measure,
    "index.repository": indexing.measure,
    "index.growth": indexing_growth.measure,
    "search.code": searching.measure,
    "search.lines": search_lines.measure,
    "start.listing": listing.measure,
    "start.first_call": first_call.measure,
    "start.create_project": creation.measure,
    "start.memory": memory.measure,
    "ports.allocate": ports.measure,
    "ports.find": full_ranges.measure,
    "run.throughput": running.measure_throughput,
    "run.start": running.measure_start,
    "secrets.store": secrets.measure,
    "search-quality": search_quality.measure,
}
"""Every benchmark; a name before the dot stands for all of its parts."""

DATA_HELP = "queries about repositories, for search-quality (or BENCH_DATA)"


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


async def run(parts: Sequence[str], effort: Effort, *, show: bool) -> dict[str, list[Finding]]:
    """Measure part after part; what is found is shown as soon as it is there."""
    found: dict[str, list[Finding]] = {}
    for part in parts:
        async for finding in PARTS[part](effort):
            found.setdefault(part, []).append(finding)
            if show:
                sys.stdout.write(report.shown(part, finding) + "\n")
                sys.stdout.flush()
    return found


def main() -> int:
    """Run; the exit status is 1 where a target is missed, or what was named could not be run."""
    args = _arguments()
    effort = Effort(
        quick=args.quick,
        minutes=args.budget,
        tell=_tell,
        data=args.data,
        repositories=args.repositories,
    )
    findings = asyncio.run(run(chosen(args.names), effort, show=not args.json))
    every = [finding for group in findings.values() for finding in group]
    if args.write_docs:
        report.write_docs(findings, quick=args.quick, order=list(PARTS))
    sys.stdout.write(
        report.as_json(findings, quick=args.quick) if args.json else report.last_line(every)
    )
    sys.stdout.write("\n")
    missed = any(isinstance(one, Figure) and not one.held for one in every)
    return int(missed or (bool(args.names) and any(isinstance(one, NotRun) for one in every)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    parser.add_argument("--quick", action="store_true", help="few rounds, small tables")
    parser.add_argument("--budget", type=float, default=FULL_MINUTES, metavar="MINUTES")
    parser.add_argument(
        "--write-docs", action="store_true", help="keep the figures in docs/benchmarks.md"
    )
    parser.add_argument(
        "--data", type=Path, default=_folder("BENCH_DATA"), metavar="DIR", help=DATA_HELP
    )
    parser.add_argument(
        "--repositories",
        type=Path,
        default=_folder("BENCH_REPOSITORIES"),
        metavar="DIR",
        help="git clones of them (or BENCH_REPOSITORIES); what is not there is cloned",
    )
    return parser.parse_args()


def _folder(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None


def _tell(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\033[2m… {text}\033[0m\n")


if __name__ == "__main__":
    sys.exit(main())
