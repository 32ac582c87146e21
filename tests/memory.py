"""Where tests keep their files: in memory, where the machine has a folder for that.

A database is three hundred files. On a disk, making and removing them for every test takes
more of the machine than all that the tests do with them.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - each run makes a folder of its own in it
"""Where Linux keeps files in memory."""

ROOM = 4 * 2**30
"""Bytes that must be free there: a container often has 64 MB."""

PREFIX = "undercroft-tests-"


def move_in() -> None:
    """Make a folder in memory the place of temporary files, of our children's as well."""
    if "TMPDIR" in os.environ or not _is_fit(MEMORY):
        return
    _remove_orphans()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY)
    # Tests that root runs start PostgreSQL as another user.
    Path(folder).chmod(0o755)
    os.environ["TMPDIR"] = tempfile.tempdir = folder


def move_out() -> None:
    """Remove this run's folder in memory."""
    if folder := own_folder():
        shutil.rmtree(folder, ignore_errors=True)


def own_folder() -> Path | None:
    """This run's folder in memory, None where files lie on the disk."""
    folder = Path(tempfile.gettempdir())
    return folder if folder.name.startswith(PREFIX) else None


def _is_fit(folder: Path) -> bool:
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    status = os.statvfs(folder)
    # Tests start programs that they have written.
    return not status.f_flag & os.ST_NOEXEC and status.f_bavail * status.f_frsize >= ROOM


def _remove_orphans() -> None:
    """Remove what a run has left that was killed, or that failed and was to be looked at."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(PREFIX).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)
