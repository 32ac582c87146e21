"""What a hostile folder may hold: each trap lays one thing, and knows a word that must stay out."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tortures import bombs


@dataclass(kw_only=True)
class Tree:
    """A folder that is to be indexed, and what lies around it."""

    root: Path
    outside: Path
    """Never to be entered: files with the word in their text, names and index."""
    marker: Path
    """Is made if any program of the tree runs."""
    word: str
    own: str
    """A word that stands in a file of the tree itself."""
    dice: random.Random
    laid: list[str] = field(default_factory=list)
    mounts: list[Path] = field(default_factory=list)
    shut: list[Path] = field(default_factory=list)
    """Folders that nobody may enter, not even to remove what is in them."""
    swaps: list[tuple[Path, Path]] = field(default_factory=list)
    """Places that change while the walk runs: what lies there, and what a link there leads to."""

    @property
    def program(self) -> Path:
        """What a hostile configuration wants to be run."""
        return self.outside / "program"

    def begin(self) -> None:
        """The folder with a file of its own, and the outside."""
        self.root.mkdir(parents=True)
        (self.outside / "folder").mkdir(parents=True)
        (self.root / "own.py").write_text(f"def {self.own}():\n    return 1\n")
        for name in ("canary.py", f"folder/{self.word}.py", "folder/own.py"):
            (self.outside / name).write_text(f"def {self.word}():\n    return '{self.word}'\n")
        self.program.write_text(
            f"#!/bin/sh\ntouch '{self.marker}'\ncat '{self.outside}/canary.py'\n"
        )
        self.program.chmod(0o755)
        git(self.outside, "init", "-q")
        git(self.outside, "add", ".")

    def end(self) -> None:
        """Take it away again, however deep it is."""
        for mount in self.mounts:
            subprocess.run(["umount", "-l", mount], check=False)  # noqa: S603, S607 - our own place
        for folder in self.shut:
            with contextlib.suppress(OSError):
                folder.chmod(0o700)
        for folder in (self.root, self.outside):
            subprocess.run(["rm", "-rf", "--", folder], check=False)  # noqa: S603, S607 - our own

    def repository(self) -> Path:
        """The root's `.git`, made if there is none."""
        if not os.path.lexists(self.root / ".git"):
            git(self.root, "init", "-q")
            git(self.root, "add", "own.py")
        return self.root / ".git"


Trap = Callable[[Tree, Path], None]


def git(folder: Path, *words: str) -> None:
    """Run git; a hostile folder may make it fail."""
    subprocess.run(  # noqa: S603 - our own words
        ["git", "-c", "safe.directory=*", *words],  # noqa: S607 - found by the path
        cwd=folder,
        check=False,
        capture_output=True,
        timeout=20,
        env={"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )


# Links -----------------------------------------------------------------------------------------


def links(tree: Tree, here: Path) -> None:
    """To a file and a folder outside, by absolute and by relative ways, and to odd places."""
    (here / "absolute.py").symlink_to(tree.outside / "canary.py")
    (here / "relative.py").symlink_to(os.path.relpath(tree.outside / "canary.py", here))
    (here / "folder").symlink_to(tree.outside / "folder")
    (here / "up").symlink_to("../../..")
    (here / "environment.py").symlink_to("/proc/self/environ")
    (here / "endless.py").symlink_to("/dev/zero")


def loops(tree: Tree, here: Path) -> None:
    """To itself, to each other, to the root, to nowhere; and a long chain that leads out."""
    (here / "self").symlink_to("self")
    (here / "one").symlink_to("two")
    (here / "two").symlink_to("one")
    (here / "root").symlink_to(tree.root)
    (here / "nowhere.py").symlink_to("nowhere")
    (here / "chain_0.py").symlink_to(tree.outside / "canary.py")
    for number in range(1, 60):
        (here / f"chain_{number}.py").symlink_to(f"chain_{number - 1}.py")


def ignore_links(tree: Tree, here: Path) -> None:
    """Ignore files that are links to files outside."""
    (tree.outside / "patterns").write_text(f"{tree.word}\n!*.py\n")
    for name in (".gitignore", ".undercroftignore", ".gitattributes"):
        with contextlib.suppress(FileExistsError):
            (here / name).symlink_to(tree.outside / "patterns")


def hard_links(tree: Tree, here: Path) -> None:
    """Two names for one file, both inside."""
    (here / "first.py").write_text("def twice():\n    return 2\n")
    (here / "second.py").hardlink_to(here / "first.py")
    (here / f"{tree.dice.randrange(10**6)}.py").hardlink_to(here / "first.py")


def mounted(tree: Tree, here: Path) -> None:
    """The outside mounted into the tree, where that is allowed."""
    place = here / "bound"
    place.mkdir()
    words: list[str | Path] = ["mount", "--bind", tree.outside, place]
    done = subprocess.run(words, capture_output=True, check=False)  # noqa: S603 - our own places
    if not done.returncode:
        tree.mounts.append(place)


def swapped(tree: Tree, here: Path) -> None:
    """Folders that become links to the outside again and again, while the walk runs."""
    for number in range(12):
        folder = here / f"swap_{number}"
        folder.mkdir()
        (folder / "own.py").write_text(f"def swapped_{number}():\n    pass\n")
        tree.swaps.append((folder, tree.outside / "folder"))
    file = here / "canary.py"
    file.write_text("def swapped():\n    pass\n")
    tree.swaps.append((file, tree.outside / "canary.py"))


# Files that are none ---------------------------------------------------------------------------


def special(tree: Tree, here: Path) -> None:
    """Pipes, sockets and devices with names of code."""
    os.mkfifo(here / "pipe.py")
    os.mkfifo(here / f"{tree.dice.randrange(99)}.md")
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(here / "socket.py"))
    for name, kind, device in (
        ("zero.py", stat.S_IFCHR, (1, 5)),
        ("loop.sql", stat.S_IFBLK, (7, 0)),
        ("terminal.py", stat.S_IFCHR, (5, 0)),
    ):
        with contextlib.suppress(PermissionError):
            os.mknod(here / name, 0o666 | kind, os.makedev(*device))


def closed(tree: Tree, here: Path) -> None:
    """What may not be read."""
    (here / "closed").mkdir()
    (here / "closed/a.py").write_text("x = 1\n")
    (here / "closed").chmod(0)
    tree.shut.append(here / "closed")
    (here / "private.py").write_text("y = 1\n")
    (here / "private.py").chmod(0)


def pipe_for_ignore_file(tree: Tree, here: Path) -> None:
    """An ignore file that git waits for, in the folder or in the repository's own."""
    place = here if tree.dice.random() < 0.5 else tree.repository() / "info"  # noqa: PLR2004 - a coin
    name = ".gitignore" if place == here else "exclude"
    with contextlib.suppress(OSError):
        (place / name).unlink(missing_ok=True)
        os.mkfifo(place / name)


# Names -----------------------------------------------------------------------------------------

NAMES = (
    *(b"new\nline.py", b"bad\xff\xfe.py", b"tab\t.py", b"esc\x1b[2J.py", b"\xe2\x80\xae.py"),
    *(b"-rf.py", b"--exec=touch", b"--upload-pack=x", b":(top)a.py", b":!own.py", b":/", b"*.py"),
    *(b"...", b".. ", b"..\\..\\etc.py", b"%s%n%x.py", b"\\", b"'.py", b'".py', b"a\\\nb.py"),
    *(
        b"$(touch ran).py",
        b"`touch ran`.py",
        b"; touch ran;.py",
        b"|touch ran",
        b"&.py",
        b"~",
        b"#",
    ),
    *(
        b"CON",
        b"nul.py",
        b"e\xcc\x81.py",
        b"\xc3\xa9.py",
        b"\xed\xa0\x80.py",
        b"\xf0\x9f\x92\xa3.py",
    ),
    *(
        b"x" * 252 + b".py",
        "é".encode() * 126 + b".c",
        b" .py",
        b"\xef\xbb\xbf.py",
        b"a.PY",
        b".git ",
    ),
)


def names(tree: Tree, here: Path) -> None:
    """Names that mean something to a shell, to git or to a terminal."""
    for name in NAMES:
        place = os.path.join(os.fsencode(here), name)  # noqa: PTH118 - a Path takes no bytes
        with contextlib.suppress(OSError):
            if tree.dice.random() < 0.8:  # noqa: PLR2004 - a mixture
                descriptor = os.open(place, os.O_CREAT | os.O_WRONLY)
                os.write(descriptor, b"def named():\n    pass\n")
                os.close(descriptor)
            else:
                os.mkdir(place)  # noqa: PTH102 - as above
                os.close(os.open(place + b"/a.py", os.O_CREAT | os.O_WRONLY))


def deep(_tree: Tree, here: Path) -> None:
    """Folders in folders, past what a path may be."""
    at = os.open(here, os.O_RDONLY)
    for depth in range(600):
        name = f"level_{depth % 10}"
        os.mkdir(name, dir_fd=at)
        inner = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
        if depth % 97 == 50:  # noqa: PLR2004 - here and there
            os.close(os.open("deep.py", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def wide(_tree: Tree, here: Path) -> None:
    """Many entries in one folder, and many folders with nothing."""
    for number in range(600):
        (here / f"f{number}.py").touch()
        if number % 4 == 0:
            (here / f"d{number}").mkdir()


# Contents --------------------------------------------------------------------------------------


def contents(tree: Tree, here: Path) -> None:
    """A few files that are hard to decode, to cut, to parse or to search for secrets."""
    for name, make in tree.dice.sample(sorted(bombs.BOMBS.items()), 3):
        tree.laid.append(name)
        (here / name).write_bytes(make(tree.dice))


def ignores(tree: Tree, here: Path) -> None:
    """Ignore files that are hard to match, hard to read, or that hide everything."""
    kind = tree.dice.randrange(5)
    patterns = [
        b"\n".join(b"**/" * 20 + b"a*" * 40 + b"b%d" % n for n in range(400)),
        b"[" * 900 + b"\n[z-a]\n\\\n[[:alpha:]\n***/**/***\n" + b"?" * 800 + b"\n!" * 500,
        b"x" * 3_000_000,
        bytes(range(256)) * 50,
        b"*\n",
    ][kind]
    for name in (".gitignore", ".undercroftignore"):
        with contextlib.suppress(OSError):
            (here / name).write_bytes(patterns)
    if tree.dice.random() < 0.3:  # noqa: PLR2004 - a mixture
        (here / ".gitattributes").write_bytes(
            b"* filter=x diff=x merge=x working-tree-encoding=x\n"
        )


TRAPS: tuple[Trap, ...] = (
    *(links, loops, ignore_links, hard_links, mounted, swapped, special, closed),
    *(names, deep, wide, contents, contents, contents, ignores),
)


def spoil(folder: Path) -> None:
    """A repository's index that is none."""
    shutil.copy(os.devnull, folder / "index")
    (folder / "index").write_bytes(b"DIRC" + os.urandom(400))
