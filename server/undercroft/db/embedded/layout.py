"""Which file lies where.

    <home>/postgres/
      start.lock    held while somebody starts or stops the server
      users.lock    held by every process that uses it, shared, for as long as it lives
      keep          exists while the server shall outlive its users
      start.log     what the last start said before it had a log
      18/           the data of PostgreSQL 18, its log in 18/log/
      18.partial-…/ data being made; worth nothing, removed by the next start
      run/          the folder of the socket

When root hands PostgreSQL to a user that cannot come to the home (root's own home is
closed to others), data and socket lie in /var/lib/undercroft/<digest of the home>/ and
<home>/postgres/18 is a link that leads there: no mode of a folder above is ever changed.
"""

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from undercroft.db.embedded.account import Account, account_for
from undercroft.db.embedded.system import folder_error

SHARED = Path("/var/lib/undercroft")
# A socket's whole path has 104 bytes on macOS and 108 on Linux, with 14 for ".s.PGSQL.5432"
# and a slash. A comma or a quote would be read as a list of folders.
LONGEST_SOCKET_FOLDER = 88
AWKWARD = re.compile(r'[,"\'\\\x00-\x1f]|^[^/]')
MAJOR = re.compile(r"[0-9]+")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The places of one embedded server, and the user that runs it (None: ourselves)."""

    folder: Path
    base: Path
    account: Account | None

    @property
    def start_lock(self) -> Path:
        """Held while somebody starts or stops the server."""
        return self.folder / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Held, shared, by everybody who uses the server."""
        return self.folder / "users.lock"

    @property
    def keep(self) -> Path:
        """Exists while the server shall outlive its users."""
        return self.folder / "keep"

    @property
    def start_log(self) -> Path:
        """What the last start said before it had a log."""
        return self.folder / "start.log"

    def is_elsewhere(self, sockets: Path) -> bool:
        """Tell whether the socket's folder lies among temporary files, to be cleared away."""
        return sockets.parent != self.base

    def data_folders(self) -> list[Path]:
        """List the data of every major version that is here or lies elsewhere for us."""
        # A home that was deleted and made again has lost its links, not its running server.
        found = {*data_folders(self.folder), *data_folders(self.base)}
        return sorted(found, key=lambda path: int(path.name))

    def data(self, major: str) -> Path:
        """Where the data of that major version lies or is to be made."""
        link = self.folder / major
        return link.resolve() if link.is_symlink() else self.base / major


def data_folders(folder: Path) -> list[Path]:
    """List the data of every major version in that folder, links followed."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if MAJOR.fullmatch(path.name)]
    return [path.resolve() for path in sorted(found, key=lambda path: int(path.name))]


def prepare(home: Path) -> Layout:
    """Make the folders that are missing and decide where things go."""
    home = home.expanduser().absolute()
    folder = home / "postgres"
    account = account_for(home, data_folders(folder))
    try:
        make_folder(home, account, 0o711 if account else 0o700)
        make_folder(folder, account, 0o711 if account else 0o700)
        base = _base(home, folder, account)
    except OSError as error:
        raise folder_error(error) from error
    return Layout(folder=folder, base=base, account=account)


def make_folder(path: Path, account: Account | None, mode: int = 0o700) -> None:
    """Make the folder if it is missing; one that exists is left as it is."""
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=mode, exist_ok=True)
    path.chmod(mode)
    if account:
        parent = path.parent.stat()
        os.chown(path, *((account.uid, account.gid) if parent.st_uid == account.uid else (0, 0)))


def _base(home: Path, folder: Path, account: Account | None) -> Path:
    if account is None or account.reaches(folder):
        return folder
    base = SHARED / digest(home)
    make_folder(SHARED, account, 0o711)
    make_folder(base, account, 0o711)
    return base


def digest(path: Path) -> str:
    """Make a short name for a path, the same for every way of writing it."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:12]


def socket_folder(layout: Layout) -> Path:
    """Find a folder for the socket that nobody but the server's user and root can enter."""
    own = layout.base / "run"
    if _suits(own):
        return _private(own, layout.account) or _fresh(layout.account)
    name = f"undercroft-{os.geteuid()}-{digest(layout.folder)}"
    return _private(_temporary(layout.account) / name, layout.account) or _fresh(layout.account)


def _suits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_FOLDER and not AWKWARD.search(str(path))


def _temporary(account: Account | None) -> Path:
    """Find a place for a socket with a short name, kept for the session where there is such."""
    wanted = [] if account else [os.environ.get("XDG_RUNTIME_DIR", "")]
    for name in [*wanted, tempfile.gettempdir()]:
        path = Path(name) if name else None
        if path and path.is_dir() and os.access(path, os.W_OK) and _suits(path / ("x" * 34)):
            return path
    return Path("/tmp")  # noqa: S108 - last resort; what is made in it is checked below


def _private(path: Path, account: Account | None) -> Path | None:
    """Make the folder if need be; None if somebody else laid it, or a link, in our way."""
    uid = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=0o700)
        if account:
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    except FileExistsError:
        pass
    status = path.lstat()
    safe = stat.S_ISDIR(status.st_mode) and status.st_uid == uid and not status.st_mode & 0o077
    return path if safe else None


def _fresh(account: Account | None) -> Path:
    path = Path(tempfile.mkdtemp(prefix="undercroft-", dir=_temporary(account)))
    if account:
        os.chown(path, *account.owner)
    return path
