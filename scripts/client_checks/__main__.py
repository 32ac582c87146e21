"""`scripts/clients`: let foreign clients try the server, and say what held."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from client_checks import claude, conformance, inspector
from client_checks.frame import Bench, Check, Part

PARTS: Mapping[str, Part] = {
    "inspector": inspector.checks,
    "conformance": conformance.checks,
    "claude": claude.checks,
}


async def run(bench: Bench, names: list[str]) -> list[Check]:
    """Try everything that is named, all by default; a check is printed as soon as it is done."""
    found: list[Check] = []
    for name, part in PARTS.items():
        if names and name not in names:
            continue
        try:
            async for check in part(bench):
                found.append(check)
                _show(check)
        except (RuntimeError, TimeoutError, OSError) as error:
            found.append(Check(name=f"{name} can be tried", held=False, detail=str(error)))
            _show(found[-1])
    return found


def _show(check: Check) -> None:
    detail = f"  ({check.detail})" if check.detail else ""
    _say(f"{'held  ' if check.held else 'FAILED'}  {check.name}{detail}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run; the exit status is 1 where a check has failed."""
    parser = argparse.ArgumentParser(prog="scripts/clients", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="CLIENT", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="one call of each kind")
    parser.add_argument("--cache", type=Path, help="keep npx's downloads in this folder")
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in PARTS]:
        parser.error(f"there is no client {unknown[0]!r}: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="undercroft-clients-") as folder:
        place = Path(folder)
        (place / "home" / ".config").mkdir(parents=True)
        cache = (args.cache or place / "npm").absolute()
        bench = Bench(folder=place, cache=cache, quick=args.quick)
        found = asyncio.run(run(bench, args.names))
    if not args.names or "conformance" in args.names:
        _say("\nScenarios of the conformance suite that do not apply:")
        for line in conformance.excluded():
            _say(f"  {line}")
    held = sum(check.held for check in found)
    _say(f"\nclients: {held} of {len(found)} checks held")
    return 0 if found and held == len(found) else 1


sys.exit(main())
