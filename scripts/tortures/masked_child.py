"""`python -m tortures.masked_child FAULT SECRETS WORDS…`: a child as `undercroft run` starts it.

Without a database: SECRETS is a file of JSON. Where standard input is a terminal, it becomes that
of this session.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import termios
from pathlib import Path

from tortures.planted import FAULTS


def main() -> int:
    """Run it."""
    fault, file, *words = sys.argv[1:]
    # Whatever those who started the torture ignore.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    if os.isatty(0):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if fault:
        FAULTS[fault].in_process()
    from undercroft.running.child import end_as, run_child  # noqa: PLC0415 - after the fault

    secrets = json.loads(Path(file).read_text("utf-8"))
    return end_as(run_child(words, os.environ | secrets, secrets))


if __name__ == "__main__":
    sys.exit(main())
