"""The folder of the data: made whole or not at all, configured, judged before a start."""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import structlog

from undercroft.db.embedded.binaries import Binaries, environment
from undercroft.db.embedded.layout import Layout
from undercroft.db.embedded.postmaster import LOGIN
from undercroft.db.embedded.system import folder_error
from undercroft.errors import InvalidInput, Unavailable, UndercroftError

SUPERUSER = "postgres"
# The builtin provider came with 17. It sorts by code point, the same on every machine.
BUILTIN_SINCE = 17
# A C ctype makes pg_trgm drop every letter outside ASCII without a word. Where C.UTF-8
# does not exist (older macOS), another UTF-8 one tells letters just as well.
CTYPES = ("C.UTF-8", "en_US.UTF-8", "UTF-8")
HBA = f"""\
# Written by undercroft. The folder of the socket is closed to other users.
local  all          {LOGIN}      trust
local  all          {SUPERUSER}  trust
local  replication  {SUPERUSER}  trust
"""
STAMP = "undercroft.bootstrap"
OLD_LOGS_KEPT = 7
SMALL_SHARED_MEMORY = 512 * 2**20


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The data of one server and the programs that can read it."""

    layout: Layout
    binaries: Binaries

    @property
    def data(self) -> Path:
        """The folder of the data."""
        return self.layout.data(self.binaries.major)

    def prepare(self) -> None:
        """Make the data if there is none, and bring its configuration up to date.

        The caller holds start.lock, and no server runs on the data.

        Raises:
            InvalidInput: What lies there is of another major version, or is no data.
            Unavailable: The disk is full, or a program failed; the log has the details.

        """
        try:
            self._refuse_other_versions()
            for remains in self.data.parent.glob(f"{self.data.name}.partial-*"):
                shutil.rmtree(remains, ignore_errors=True)
            if not self._exists():
                self._make()
            if not self._is_stamped(self.data):
                self._bootstrap(self.data)
            self._configure(self.data)
            self._drop_old_logs()
        except OSError as error:
            raise folder_error(error) from error

    def _refuse_other_versions(self) -> None:
        major = self.binaries.major
        others = [path.name for path in self.layout.data_folders() if path.name != major]
        if others and not self.data.exists():
            raise InvalidInput(
                f"The data here is of PostgreSQL {others[-1]}, and the programs are {major}.",
                hint=f"Name a PostgreSQL {others[-1]} in UNDERCROFT_POSTGRES_BINDIR, or move the "
                "data with pg_dump and pg_restore.",
            )

    def _exists(self) -> bool:
        link = self.layout.folder / self.binaries.major
        if not self.data.exists():
            if link.is_symlink():
                raise Unavailable(
                    "The folder that holds the data has gone.",
                    hint="Mount or restore it, or remove the link `postgres/"
                    f"{self.binaries.major}` in UNDERCROFT_HOME to begin anew.",
                )
            return False
        return self._is_whole()

    def _is_whole(self) -> bool:
        marker = self.data / "PG_VERSION"
        if not marker.exists():
            if not any(self.data.iterdir()):
                self.data.rmdir()
                return False
            raise InvalidInput(
                "The folder that shall hold the data holds something else.",
                hint=f"Move `postgres/{self.binaries.major}` in UNDERCROFT_HOME out of the way.",
            )
        if (found := marker.read_text().strip()) != self.binaries.major:
            raise InvalidInput(f"The data is of PostgreSQL {found}, not {self.binaries.major}.")
        return True

    def _make(self) -> None:
        """Work in a folder aside; the rename at the end is what makes it count."""
        # A name of its own: the initdb of a process that was killed may still be writing.
        partial = self.data.with_name(f"{self.data.name}.partial-{secrets.token_hex(4)}")
        partial.mkdir(mode=0o700)
        if self.layout.account:
            os.chown(partial, *self.layout.account.owner)
        try:
            self._initdb(partial)
            self._write(partial / "pg_hba.conf", HBA)
            with (partial / "postgresql.conf").open("a") as conf:
                conf.write("\ninclude 'undercroft.conf'\n")
            self._configure(partial)
            self._bootstrap(partial)
            self._run("initdb", "--sync-only", "-D", str(partial))
            partial.rename(self.data)
        except (OSError, UndercroftError):
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _sync_folder(self.data.parent)
        self._link()

    def _link(self) -> None:
        link = self.layout.folder / self.binaries.major
        if self.data != link and not link.is_symlink():
            link.symlink_to(self.data)

    def _initdb(self, partial: Path) -> None:
        for ctype in CTYPES:
            try:
                self._run("initdb", "-D", str(partial), *self._initdb_options(ctype))
            except Unavailable as error:
                if "invalid locale name" not in str(error.__cause__) or ctype == CTYPES[-1]:
                    raise
            else:
                return

    def _initdb_options(self, ctype: str) -> list[str]:
        options = ["--no-sync", "--no-instructions", "--data-checksums", f"--username={SUPERUSER}"]
        options += ["--encoding=UTF8", "--locale=C", f"--lc-ctype={ctype}"]
        options += ["--auth-local=trust", "--auth-host=reject"]
        if int(self.binaries.major) >= BUILTIN_SINCE:
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return options

    def _bootstrap(self, data: Path) -> None:
        """Roles and extensions, by a server of one session that nobody else can reach."""
        options = ["--single", "-D", str(data), "-j", "-c", "exit_on_error=on"]
        options += ["-c", "logging_collector=off", "-c", "log_error_verbosity=default"]
        self._run("postgres", *options, "template1", stdin=_bootstrap_sql())
        self._write(data / STAMP, _bootstrap_digest())

    def _is_stamped(self, data: Path) -> bool:
        stamp = data / STAMP
        return stamp.exists() and stamp.read_text() == _bootstrap_digest()

    def _configure(self, data: Path) -> None:
        text = _here("undercroft.conf") + "".join(f"{line}\n" for line in self._lines())
        path = data / "undercroft.conf"
        if not path.exists() or path.read_text() != text:
            self._write(path, text)

    def _lines(self) -> list[str]:
        """Choose the settings that depend on the machine."""
        lines = []
        if self.binaries.library("pg_stat_statements"):
            lines.append("shared_preload_libraries = 'pg_stat_statements'")
        if sys.platform == "linux":
            # After a crash, one sync of the file system instead of one of each of 40,000 files.
            lines.append("recovery_init_sync_method = syncfs")
            if _free("/dev/shm") < SMALL_SHARED_MEMORY:  # noqa: S108 - asked for its size only
                # A container's 64 MB would stop a parallel index build half-way.
                lines.append("dynamic_shared_memory_type = sysv")
        return lines

    def _write(self, path: Path, text: str) -> None:
        """Replace a file at once, owned by the server's user."""
        partial = path.with_name(f"{path.name}.new")
        partial.write_text(text)
        partial.chmod(0o600)
        if self.layout.account:
            os.chown(partial, *self.layout.account.owner)
        partial.replace(path)

    def _drop_old_logs(self) -> None:
        for path in log_files(self.data)[:-OLD_LOGS_KEPT]:
            path.unlink(missing_ok=True)

    def _run(self, name: str, *arguments: str, stdin: str = "") -> None:
        account = self.layout.account
        answer = subprocess.run(  # noqa: S603 - our programs with our arguments
            [self.binaries.program(name), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=self.layout.base,
            env=environment(),
            start_new_session=True,
            **(account.popen if account else {}),
        )
        if answer.returncode:
            raise failure(name, answer.stderr) from RuntimeError(answer.stderr[-2000:])


def failure(program: str, said: str) -> UndercroftError:
    """Make an error for a client of what a program said, all of which goes to the log."""
    structlog.get_logger().error("postgres.program_failed", program=program, said=said[-4000:])
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return Unavailable("The disk is full.", hint="Free some space, then try again.")
    if "Read-only file system" in said or "Permission denied" in said:
        return InvalidInput(
            "PostgreSQL may not write to the folder of the data.",
            hint="Mend its owner, or set UNDERCROFT_HOME to a folder that this user may write.",
        )
    return Unavailable(
        f"PostgreSQL could not be started: {program} failed.",
        hint="`undercroft postgres logs` and the server's own log say why.",
    )


def log_files(data: Path) -> list[Path]:
    """List the files of the server's log, the oldest first."""
    return sorted((data / "log").glob("postgres-*.log"))


def _here(name: str) -> str:
    return Path(__file__).with_name(name).read_text("utf-8")


def _bootstrap_sql() -> str:
    # A server of one session takes a comment before a statement, not one with a blank line after.
    blocks = _here("bootstrap.sql").split("\n\n")
    return "\n\n".join(block for block in blocks if not _is_comment(block)) + "\n\n"


def _is_comment(block: str) -> bool:
    return all(line.startswith("--") for line in block.splitlines() if line)


def _bootstrap_digest() -> str:
    return hashlib.sha256(_here("bootstrap.sql").encode()).hexdigest()[:16]


def _free(path: str) -> int:
    try:
        status = os.statvfs(path)
    except OSError:
        return 0
    return status.f_bavail * status.f_frsize


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
