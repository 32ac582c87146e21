"""The official conformance suite against the product and against a fixture on the same road."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from client_checks.frame import Bench, Check, last_words, output_of
from client_checks.npm import CONFORMANCE, with_package
from client_checks.servers import FIXTURE, listening

_FOLDER = re.compile(r"server-(.+)-\d{4}-\d\d-\d\dT.*")

REVISIONS = ("2025-06-18", "2025-11-25", "2026-07-28")

TEXT_ONLY = "Undercroft's tools, resources and prompts answer with JSON text only"
NO_ASKING_BACK = "Undercroft asks nothing back of a client while a call runs"
NO_LOGGING = "logs go to stderr; the protocol's logging is deprecated as of 2026-07-28"

NOT_OFFERED: Mapping[str, str] = {
    "tools-call-image": TEXT_ONLY,
    "tools-call-audio": TEXT_ONLY,
    "tools-call-embedded-resource": TEXT_ONLY,
    "tools-call-mixed-content": TEXT_ONLY,
    "resources-read-binary": TEXT_ONLY,
    "prompts-get-embedded-resource": TEXT_ONLY,
    "prompts-get-with-image": TEXT_ONLY,
    "logging-set-level": NO_LOGGING,
    "tools-call-with-logging": NO_LOGGING,
    "tools-call-sampling": NO_ASKING_BACK,
    "tools-call-elicitation": NO_ASKING_BACK,
    "elicitation-sep1034-defaults": NO_ASKING_BACK,
    "elicitation-sep1330-enums": NO_ASKING_BACK,
    "input-required-result-basic-elicitation": NO_ASKING_BACK,
    "input-required-result-basic-sampling": NO_ASKING_BACK,
    "input-required-result-basic-list-roots": NO_ASKING_BACK,
    "input-required-result-request-state": NO_ASKING_BACK,
    "input-required-result-multiple-input-requests": NO_ASKING_BACK,
    "input-required-result-multi-round": NO_ASKING_BACK,
    "input-required-result-missing-input-response": NO_ASKING_BACK,
    "input-required-result-non-tool-request": NO_ASKING_BACK,
    "input-required-result-result-type": NO_ASKING_BACK,
    "input-required-result-unsupported-methods": NO_ASKING_BACK,
    "input-required-result-tampered-state": NO_ASKING_BACK,
    "input-required-result-capability-check": NO_ASKING_BACK,
    "input-required-result-ignore-extra-params": NO_ASKING_BACK,
    "input-required-result-validate-input": NO_ASKING_BACK,
    "server-sse-polling": "streams are not resumed: a lost answer is asked for by its key again",
    "json-schema-2020-12": "wants a tool of a given schema; ours follow from typed functions",
    "http-custom-header-server-validation": "no tool of ours takes an argument from a header",
}
"""Scenarios that do not apply → why. Tasks and skills are extensions, which no revision holds."""

CHECKS_NOT_OFFERED = {
    # Both want a tool that refuses clients without the capability for sampling.
    "sep-2575-server-rejects-undeclared-capability",
    "sep-2575-missing-capability-http-400",
}
"""Single checks, inside scenarios that apply, of what is not offered."""

ONLY_FIXTURE = frozenset(
    {
        *("tools-call-simple-text", "tools-call-error", "tools-call-with-progress"),
        *("resources-read-text", "resources-templates-read"),
        *("resources-subscribe", "resources-unsubscribe"),
        *("prompts-get-simple", "prompts-get-with-args"),
    }
)
"""Scenarios that call tools, resources and prompts by names of the suite's own."""


async def checks(bench: Bench) -> AsyncIterator[Check]:
    """Every scenario that applies, at each revision, against the product and the fixture."""
    environment = await with_package(bench, CONFORMANCE)
    revisions = REVISIONS[-1:] if bench.quick else REVISIONS
    async with (
        listening(bench, "http") as product,
        listening(bench, "http", FIXTURE) as fixture,
    ):
        for revision in revisions:
            for name, address in (("product", product), ("fixture", fixture)):
                folder = bench.folder / "conformance" / f"{name}-{revision}"
                command = ["conformance", "server", "--url", address + "/mcp", "--suite", "all"]
                command += ["--spec-version", revision, "--output-dir", str(folder)]
                _, out, err = await output_of(command, environment, bench.folder)
                found = list(_results(folder, name, revision))
                if not found:
                    yield Check(
                        name=f"conformance {revision} {name}",
                        held=False,
                        detail=last_words(err) or last_words(out),
                    )
                for check in found:
                    yield check


def _results(folder: Path, server: str, revision: str) -> Iterator[Check]:
    for path in sorted(folder.glob("server-*/checks.json")):
        scenario = _FOLDER.sub(r"\1", path.parent.name)
        if scenario in NOT_OFFERED or (server == "product" and scenario in ONLY_FIXTURE):
            continue
        every = json.loads(path.read_text("utf-8"))
        failed = [check for check in every if _counts(check) and check["status"] == "FAILURE"]
        passed = [check for check in every if check["status"] == "SUCCESS"]
        yield Check(
            name=f"conformance {revision} {server}: {scenario}",
            held=bool(passed) and not failed,
            detail="; ".join(str(check.get("errorMessage", check["id"]))[:150] for check in failed),
        )


def _counts(check: Mapping[str, Any]) -> bool:
    return check["id"] not in CHECKS_NOT_OFFERED


def excluded() -> Iterator[str]:
    """What is not run, for a person."""
    for reason in dict.fromkeys(NOT_OFFERED.values()):
        names = [name for name, why in NOT_OFFERED.items() if why == reason]
        yield f"{reason}: {', '.join(names)}"
