"""Repositories that want git to run something, to wait, or to tell of other places."""

from __future__ import annotations

import os
import shutil

from tortures.traps import Tree, git, spoil

PROGRAMS = (
    *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass"),
    *("pager.ls-files", "filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv"),
    *("diff.external", "merge.x.driver", "core.gitProxy", "core.virtualfilesystem", "gpg.program"),
)
"""Settings that name a program."""


def programs(tree: Tree) -> None:
    """Every setting that names a program names ours, and so does every hook."""
    folder = tree.repository()
    for name in PROGRAMS:
        git(tree.root, "config", name, str(tree.program))
    git(tree.root, "config", "alias.ls-files", f"!{tree.program}")
    git(tree.root, "config", "credential.helper", f"!{tree.program}")
    git(tree.root, "config", "uploadpack.packObjectsHook", str(tree.program))
    git(tree.root, "config", "core.hooksPath", str(folder / "hooks"))
    for event in ("post-index-change", "fsmonitor-watchman", "post-checkout", "pre-commit"):
        (folder / "hooks").mkdir(exist_ok=True)
        shutil.copy(tree.program, folder / "hooks" / event)
    (tree.root / ".gitattributes").write_text("* filter=x diff=x merge=x\n")
    (tree.root / "own.py").write_text(f"def {tree.own}():\n    return 2\n")


def included(tree: Tree) -> None:
    """The configuration is taken from outside."""
    (tree.outside / "config").write_text(
        f"[core]\n\tfsmonitor = {tree.program}\n\tworktree = {tree.outside}\n"
        f"\texcludesFile = {tree.outside}/canary.py\n"
    )
    folder = tree.repository()
    with (folder / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {tree.outside}/config\n")
        config.write(f'[includeIf "gitdir:/**"]\n\tpath = {tree.outside}/config\n')


def elsewhere(tree: Tree) -> None:
    """The work tree is said to be outside."""
    tree.repository()
    git(tree.root, "config", "core.worktree", str(tree.outside))


def pointer(tree: Tree) -> None:
    """`.git` is a file that points outside, and a link stands where that one's files would."""
    (tree.root / ".git").write_text(f"gitdir: {tree.outside}/.git\n")
    (tree.root / "folder").symlink_to(tree.outside / "folder")


def linked(tree: Tree) -> None:
    """`.git` is a link to one outside."""
    (tree.root / ".git").symlink_to(tree.outside / ".git")
    (tree.root / "folder").symlink_to(tree.outside / "folder")


def shared(tree: Tree) -> None:
    """Index, objects and common folder are those of a repository outside."""
    folder = tree.repository()
    (folder / "commondir").write_text(f"{tree.outside}/.git\n")
    (folder / "objects/info").mkdir(parents=True, exist_ok=True)
    (folder / "objects/info/alternates").write_text(f"{tree.outside}/.git/objects\n")
    (folder / "index").unlink(missing_ok=True)
    (folder / "index").symlink_to(tree.outside / ".git/index")
    (tree.root / "folder").write_text("a file where the index has a folder\n")


def tracked_link(tree: Tree) -> None:
    """What was a tracked folder is a link now."""
    (tree.root / "folder").mkdir()
    for name in ("own.py", "other.py"):
        (tree.root / "folder" / name).write_text("def tracked():\n    pass\n")
    tree.repository()
    git(tree.root, "add", "folder")
    shutil.rmtree(tree.root / "folder")
    (tree.root / "folder").symlink_to(tree.outside / "folder")


def submodules(tree: Tree) -> None:
    """Submodules whose git is outside, and whose settings run something."""
    tree.repository()
    (tree.root / ".gitmodules").write_text(
        f'[submodule "a"]\n\tpath = a\n\turl = ext::{tree.program}\n\tupdate = !{tree.program}\n'
    )
    for name in ("a", "b"):
        (tree.root / name).mkdir()
        (tree.root / name / ".git").write_text(f"gitdir: {tree.outside}/.git\n")
        (tree.root / name / "folder").symlink_to(tree.outside / "folder")
        (tree.root / name / "inner.py").write_text("def inner():\n    pass\n")
    git(tree.root, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},a")


def nested(tree: Tree) -> None:
    """Repositories in the repository, bare ones among them, with programs of their own."""
    tree.repository()
    for number in range(12):
        inner = tree.root / f"inner_{number}"
        inner.mkdir()
        git(inner, "init", "-q", *(["--bare"] if number % 3 == 0 else []))
        git(inner, "config", "core.fsmonitor", str(tree.program))
        (inner / "inner.py").write_text(f"def inner_{number}():\n    pass\n")


def broken(tree: Tree) -> None:
    """An index of random bytes, a HEAD that is a folder, objects that are gone."""
    folder = tree.repository()
    spoil(folder)
    if tree.dice.random() < 0.5:  # noqa: PLR2004 - a coin
        (folder / "HEAD").unlink()
        (folder / "HEAD").mkdir()
    shutil.rmtree(folder / "objects")


def promised(tree: Tree) -> None:
    """Objects that are missing and are said to come from a program."""
    tree.repository()
    for name, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", f"ext::{tree.program} %S"),
        ("remote.origin.uploadpack", str(tree.program)),
        ("index.sparse", "true"),
    ):
        git(tree.root, "config", name, value)


def plain(tree: Tree) -> None:
    """Nothing is wrong with it, and everything is ignored."""
    tree.repository()
    if tree.dice.random() < 0.5:  # noqa: PLR2004 - a coin
        git(tree.root, "rm", "-q", "--cached", "own.py")
        (tree.root / ".gitignore").write_text("*\n")


def crowd(tree: Tree) -> None:
    """Many repositories, each with a pipe that its git waits for."""
    for number in range(30):
        inner = tree.root / f"crowd_{number}"
        inner.mkdir()
        git(inner, "init", "-q")
        (inner / "inner.py").touch()
        exclude = inner / ".git/info/exclude"
        exclude.unlink(missing_ok=True)
        exclude.parent.mkdir(exist_ok=True)
        os.mkfifo(exclude)


REPOSITORIES = (
    *(programs, included, elsewhere, pointer, linked, shared, tracked_link, submodules),
    *(nested, broken, promised, plain),
)
