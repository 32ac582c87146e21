"""`scripts/torture`: run the scenarios that are named, all by default."""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
from collections.abc import Coroutine, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from tortures import invariants
from tortures.invariants import Invariant
from tortures.planted import FAULTS

if TYPE_CHECKING:
    from tortures.frame import Effort, Scenario

T = TypeVar("T")
SCENARIOS = (
    "crashes",
    "one_record",
    "projects",
    "many_projects",
    "many_servers",
    "cancellations",
    "migrations",
    "indexing",
    "hostile_trees",
    "masking",
    "ports",
    "secrets",
    "children",
)

FAULT_PATIENCE = 300.0
"""Seconds for one short run with a fault."""


def main() -> int:
    """Run; the exit status is 1 where an invariant broke, 2 where too little happened."""
    args = _parser().parse_args()
    if unknown := set(args.names) - set(SCENARIOS):
        raise SystemExit(f"There is no scenario {min(unknown)!r}: {', '.join(SCENARIOS)}.")
    if args.faults:
        return prove_faults(args.names)
    if args.plant:
        FAULTS[args.plant].in_process()
    # Imported here: a fault must be planted before the product is loaded.
    from tortures.frame import Effort  # noqa: PLC0415

    effort = Effort(quick=args.quick, minutes=args.minutes, fault=args.plant)
    names = args.names or ([FAULTS[args.plant].scenario] if args.plant else SCENARIOS)
    try:
        found = asyncio.run(_interruptible(run(names, effort, show=not args.json)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    sys.stdout.write(
        (invariants.as_json(found) if args.json else invariants.last_line(found)) + "\n"
    )
    return invariants.status(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/torture", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    parser.add_argument("--minutes", type=float, default=0.0, help="length of timed scenarios")
    parser.add_argument("--json", action="store_true", help="everything, for a program")
    parser.add_argument("--quick", action="store_true", help="a short version")
    parser.add_argument("--plant", default="", choices=sorted(FAULTS), help="with this fault")
    parser.add_argument("--faults", action="store_true", help="prove that each fault is caught")
    return parser


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    """The work, which ends in good order when the process is told to end."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


async def run(names: Sequence[str], effort: Effort, *, show: bool) -> dict[str, list[Invariant]]:
    """One scenario after the other; each invariant is shown as soon as it is there."""
    found: dict[str, list[Invariant]] = {}
    for name in names:
        effort.tell(name)
        scenario: Scenario = import_module(f"tortures.{name}").torture
        async for invariant in scenario(effort):
            found.setdefault(name, []).append(invariant)
            if show:
                sys.stdout.write(invariants.line(name, invariant) + "\n")
                sys.stdout.flush()
    return found


def prove_faults(names: Sequence[str]) -> int:
    """Each fault in a process of its own; the scenario that should notice must fail."""
    wanted = {name: fault for name, fault in FAULTS.items() if not names or fault.scenario in names}
    caught = 0
    for name, fault in wanted.items():
        status, said = _with_fault(fault.scenario, name)
        broken = [line for line in said.splitlines() if invariants.BROKEN in line]
        seen = status == 1 and bool(broken)
        caught += seen
        verdict = "caught" if seen else f"MISSED (exit {status})"
        sys.stdout.write(f"{name:<12}{fault.meaning:<48}{fault.scenario:<15}{verdict}\n")
        sys.stdout.writelines(f"    {line[:110]}\n" for line in broken[:2])
        sys.stdout.flush()
    sys.stdout.write(f"{caught} of {len(wanted)} faults caught\n")
    return 0 if caught == len(wanted) else 1


def _with_fault(scenario: str, fault: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "tortures", scenario, "--quick", "--plant", fault]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        try:
            said, _ = run.communicate(timeout=FAULT_PATIENCE)
        except BaseException:
            # It takes back what it has started, and then ends.
            run.terminate()
            raise
    return run.returncode, said


if __name__ == "__main__":
    sys.exit(main())
