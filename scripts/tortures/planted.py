"""`python -m tortures.planted NAME [WORDS…]` is `undercroft WORDS…` with that fault in it."""

from __future__ import annotations

import sys

from tortures.faults import Fault, children, code, ports, records, secrets, work

FAULTS: dict[str, Fault] = {}
for room in (records, code, ports, secrets, children, work):
    if twice := FAULTS.keys() & room.FAULTS.keys():
        raise ValueError(f"two faults are named {min(twice)}")
    FAULTS |= room.FAULTS


def main() -> None:
    """Run the command line with a fault in it."""
    FAULTS[sys.argv[1]].in_process()
    from undercroft.cli.main import run  # noqa: PLC0415 - after the fault is planted

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
