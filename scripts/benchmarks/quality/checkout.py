"""A repository at its revision, in a folder of the run's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality.data import Repository

FORMS = ("{name}", "{name}.git", "{owner}/{name}", "{owner}/{name}.git", "{owner}+{name}/repo")
"""What a clone may be called in the folder of clones."""


def checkout(repository: Repository, clones: Path | None, into: Path) -> tuple[Path, bool]:
    """Where its files are, and whether they are those of the revision or the newest.

    Raises:
        CalledProcessError: It cannot be had.

    """
    source = next(_clones(repository, clones), None) if clones else None
    target = into / repository.name
    shared = ["--shared"] if source else ["--filter=blob:none"]
    _git("clone", "--quiet", "--no-checkout", *shared, str(source or repository.url), str(target))
    exact = bool(repository.revision) and _has(target, repository.revision)
    _git("checkout", "--quiet", "--detach", repository.revision if exact else "HEAD", within=target)
    return target, exact


def _clones(repository: Repository, folder: Path) -> Iterator[Path]:
    owner, _, name = repository.url.removesuffix(".git").rpartition("/")
    for form in FORMS:
        path = folder / form.format(owner=owner.rpartition("/")[2], name=name)
        if (path / ".git").exists() or (path / "objects").is_dir():
            yield path


def _has(clone: Path, revision: str) -> bool:
    try:
        _git("cat-file", "-e", f"{revision}^{{commit}}", within=clone)
    except subprocess.CalledProcessError:
        return False
    return True


def _git(*arguments: str, within: Path | None = None) -> None:
    command = ["git", "-c", "advice.detachedHead=false", "-c", "core.hooksPath=", *arguments]
    subprocess.run(command, cwd=within, check=True, capture_output=True)  # noqa: S603 - git, with a URL of the data's
