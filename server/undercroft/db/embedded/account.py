"""Who PostgreSQL runs as. It refuses to run as root, so root hands it to another user."""

import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undercroft.errors import InvalidInput

# The first that exists. A machine's owner may make a user `undercroft` for this alone.
CANDIDATES = ("undercroft", "postgres", "nobody")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user of the operating system other than the one we are."""

    name: str
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        """User id and group id, as chown takes them."""
        return self.uid, self.gid

    @property
    def popen(self) -> dict[str, Any]:
        """Arguments of subprocess that start a program as this user, with no other group."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Whether this user may come to the path: enter its folders, and read it if a file.

        Judged by modes alone: access lists are rare where programs run as root.
        """
        try:
            return all(self._may(step) for step in _steps(path))
        except OSError:
            return False

    def _may(self, path: Path) -> bool:
        status = path.stat()
        need = 0o1 if stat.S_ISDIR(status.st_mode) else 0o4
        if status.st_uid == self.uid:
            need <<= 6
        elif status.st_gid == self.gid:
            need <<= 3
        return bool(status.st_mode & need)


def _steps(path: Path) -> Iterator[Path]:
    resolved = path.resolve()
    yield resolved
    yield from resolved.parents


def account_for(home: Path, data: list[Path]) -> Account | None:
    """Choose the user that shall run PostgreSQL; None means the one we are.

    Whoever owns the data that is already there keeps it, then the owner of the home
    (`sudo` in a person's own home), then a user of the system.
    """
    if os.geteuid() != 0:
        _require_entry(os.geteuid())
        return None
    for path in [*data, home]:
        if path.exists() and (uid := path.stat().st_uid) != 0:
            entry = _require_entry(uid)
            return Account(name=entry.pw_name, uid=uid, gid=entry.pw_gid)
    return _system_account()


def _system_account() -> Account:
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise InvalidInput(
        "PostgreSQL refuses to run as root, and no other user was found to run it as.",
        hint="Run as an ordinary user, or make one: useradd --system undercroft",
    )


def _require_entry(uid: int) -> pwd.struct_passwd:
    # initdb looks its own user up and gives up without an entry (docker run --user 1234).
    try:
        return pwd.getpwuid(uid)
    except KeyError:
        raise InvalidInput(
            f"User id {uid} has no entry in the user database, and PostgreSQL needs one.",
            hint="Add the user to /etc/passwd, or use an external server: UNDERCROFT_DATABASE_URL.",
        ) from None
