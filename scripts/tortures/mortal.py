"""`python -m tortures.mortal N FAULT WORDS…`: `undercroft WORDS…`, killed at its n-th statement.

FAULT may be "".
"""

from __future__ import annotations

import sys

from tortures.doomed import kill_at
from tortures.planted import FAULTS


def main() -> None:
    """Run the command line up to its last statement."""
    if sys.argv[2]:
        FAULTS[sys.argv[2]].in_process()
    kill_at(int(sys.argv[1]))
    from undercroft.cli.main import run  # noqa: PLC0415 - after the fault is planted

    sys.exit(run(sys.argv[3:]))


if __name__ == "__main__":
    main()
