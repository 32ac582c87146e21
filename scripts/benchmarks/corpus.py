"""Real files to be indexed: packages of the registries, unpacked once and kept for later runs."""

from __future__ import annotations

import csv
import hashlib
import os
import random
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from training.packages import Package, download

from undercroft.codebase.walking import MAX_BYTES, walk

LIST = Path(__file__).with_name("packages.tsv")
"""Packages of ten languages; a Debian version that is gone gives way to the present one."""

OLD = 1_700_000_000
"""Seconds: a time of files that nobody has written just now."""


def cache() -> Path:
    """Where archives and unpacked packages stay: outside of the checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "undercroft-bench"


def corpus(count: int) -> tuple[Path, list[str]]:
    """A folder, and paths of `count` files in it that an index would hold.

    Raises:
        SystemExit: The registries gave too few.

    """
    folder = cache() / f"files-{hashlib.sha256(LIST.read_bytes()).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        _unpack_all(folder)
    found = [file.path for file in walk(folder).files]
    if len(found) < count:
        raise SystemExit(f"The registries gave {len(found):,} files; {count:,} are wanted.")
    # The same files in every run, of all packages by their size.
    return folder, sorted(random.Random(1).sample(found, count))  # noqa: S311 - see above


def lay_out(count: int, root: Path) -> None:
    """Copy that many files into a new git repository and commit them."""
    folder, paths = corpus(count)
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / path, target)
        os.utime(target, (OLD, OLD))
    git(root, "init", "--quiet")
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--no-verify", "--message", "All files")


def listed(root: Path) -> list[str]:
    """The paths that were laid out."""
    return os.fsdecode(git(root, "ls-files", "-z")).split("\0")[:-1]


def git(root: Path, *words: str) -> bytes:
    """What a git command says, run without the user's configuration."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0")
    still = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(  # noqa: S603 - the words are ours
        ["git", *identity, *words],  # noqa: S607 - whichever git the user has
        cwd=root,
        env=os.environ | still,
        check=True,
        capture_output=True,
    ).stdout


def _unpack_all(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with LIST.open() as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            package = Package(**row, licence="", held_out=False, pairs=0)
            if download(package, cache() / "archives"):
                _unpack(package.archives(cache() / "archives"), folder / package.name)
    (folder / "complete").touch()


def _unpack(archives: Sequence[Path], folder: Path) -> None:
    for archive in archives:
        for name, data in _members(archive):
            path = folder / name
            if folder in path.parents and ".." not in path.parts and not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Regular files that are not too large; a tar's without the folder that wraps all."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                if not entry.is_dir() and entry.file_size <= MAX_BYTES:
                    yield PurePosixPath(entry.filename), opened.read(entry)
        return
    with tarfile.open(archive, "r|*") as stream:
        for member in stream:
            content = stream.extractfile(member) if member.isfile() else None
            if content is not None and member.size <= MAX_BYTES:
                parts = PurePosixPath(member.name.removeprefix("./")).parts[1:]
                yield PurePosixPath(*parts), content.read()
