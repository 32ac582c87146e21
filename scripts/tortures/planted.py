"""`python -m tortures.planted NAME [WORDS…]` is `undercroft WORDS…` with that fault in it."""

from __future__ import annotations

import sys

from tortures.faults import Fault, children, code, ports, records, secrets

FAULTS: dict[str, Fault] = {
    name: fault
    for room in (records, code, ports, secrets, children)
    for name, fault in room.FAULTS.items()
}


def main() -> None:
    """Run the command line with a fault in it."""
    FAULTS[sys.argv[1]].in_process()
    from undercroft.cli.main import run  # noqa: PLC0415 - after the fault is planted

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
