"""`undercroft`, and `python -m undercroft`."""

import gc
import sys


def main() -> None:
    """Run the command line; the garbage collector rests while modules load (150 ms saved)."""
    gc.disable()
    _load_structlog()
    from undercroft.cli.main import run  # noqa: PLC0415

    sys.exit(run(sys.argv[1:]))


def _load_structlog() -> None:
    """Without rich, which it would load (3 MB, 35 ms) only to be able to colour tracebacks."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog  # noqa: F401, PLC0415
    finally:
        del sys.modules["rich"]


if __name__ == "__main__":
    main()
