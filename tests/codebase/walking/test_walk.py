"""What a walk finds, what it leaves out, and that it counts what it leaves out."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from undercroft.codebase.walking import FoundFile, Walk, read, walk


def git(folder: Path, *words: str) -> str:
    identity = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "protocol.file.allow=always",
    ]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def put(root: Path, *paths: str, text: str = "x\n") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def repository(root: Path, *paths: str) -> Path:
    root.mkdir(exist_ok=True, parents=True)
    git(root, "init", "-q")
    put(root, *paths)
    if paths:
        git(root, "add", "-f", *paths)
        git(root, "commit", "-qm", "x")
    return root


def paths(found: Walk) -> list[str]:
    return [file.path for file in found.files]


def test_in_a_repository_tracked_and_new_files_count_and_ignored_ones_do_not(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path / "r", "src/a.py", "tracked.log")
    put(root, "new/b.py", "x.log", ".gitignore", text="*.log\n")
    found = walk(root)
    assert found.by_git
    assert paths(found) == [".gitignore", "new/b.py", "src/a.py", "tracked.log"]
    assert found.omissions.counts == {}


def test_a_found_file_tells_size_time_and_inode(tmp_path: Path) -> None:
    root = repository(tmp_path, "a.py")
    seen = (root / "a.py").stat()
    assert walk(root).files == [FoundFile("a.py", seen.st_size, seen.st_mtime_ns, seen.st_ino)]


def test_a_deleted_tracked_file_is_neither_found_nor_counted(tmp_path: Path) -> None:
    root = repository(tmp_path, "a.py", "gone/b.py")
    (root / "gone/b.py").unlink()
    (root / "gone").rmdir()
    found = walk(root)
    assert (paths(found), found.omissions.counts) == (["a.py"], {})


def test_a_folder_in_a_repository_is_seen_by_the_repositorys_git(tmp_path: Path) -> None:
    root = repository(tmp_path, "sub/a.py", "other/b.py")
    put(root, "sub/x.log")
    put(root, ".gitignore", text="*.log\n")
    found = walk(root / "sub")
    assert (paths(found), found.by_git) == (["a.py"], True)


def test_a_root_that_the_repository_around_it_ignores_is_walked_all_the_same(
    tmp_path: Path,
) -> None:
    root = repository(tmp_path, "a.py")
    put(root, ".gitignore", text="scratch/\n")
    put(root, "scratch/b.py")
    found = walk(root / "scratch")
    assert (paths(found), found.by_git) == (["b.py"], False)


def test_submodules_and_repositories_inside_are_walked_by_their_own_git(tmp_path: Path) -> None:
    library = repository(tmp_path / "library", "lib.py")
    root = repository(tmp_path / "root", "a.py")
    git(root, "submodule", "add", "-q", str(library), "deps/library")
    inner = repository(root / "inner", "b.py")
    put(inner, "x.log")
    put(inner, ".gitignore", text="*.log\n")
    found = walk(root)
    assert paths(found) == [
        ".gitmodules",
        "a.py",
        "deps/library/lib.py",
        "inner/.gitignore",
        "inner/b.py",
    ]


def test_repositories_in_a_plain_folder_are_walked_by_their_own_git(tmp_path: Path) -> None:
    one = repository(tmp_path / "one", "a.py")
    put(one, "skipped.log", "notes.txt")
    (one / ".git/info/exclude").write_text("*.log\n")
    put(tmp_path, "two/b.py")
    found = walk(tmp_path)
    assert (paths(found), found.by_git) == (["one/a.py", "one/notes.txt", "two/b.py"], False)


@pytest.mark.parametrize("plain", [True, False])
def test_a_second_worktree_inside_is_left_out_and_as_a_root_it_is_walked(
    tmp_path: Path, plain: bool
) -> None:
    root = repository(tmp_path / "root", "a.py")
    inside = (tmp_path if plain else root) / "trees/feature"
    git(root, "worktree", "add", "-q", str(inside))
    found = walk(tmp_path if plain else root)
    assert [path.rpartition("/")[2] for path in paths(found)] == ["a.py"]
    assert found.omissions.counts == {"worktree": 1}
    assert paths(walk(inside)) == ["a.py"]


NAMES = {
    "vendored": ["node_modules/x.js", "vendor/x.go", "a/third_party/x.c", ".venv/lib/x.py"],
    "lockfile": ["package-lock.json", "Cargo.lock", "a/go.sum", "uv.lock"],
    "minified": ["x.min.js", "style.min.css", "app.bundle.js"],
    "generated": ["x_pb2.py", "x.pb.go", "x.js.map", "a/x.g.dart", "t.snap", "client.generated.ts"],
    "binary": ["x.png", "x.ZIP", "lib.so", "m.safetensors", "font.woff2"],
    "secret": [
        *(".env", ".env.production", "prod.env", "id_rsa", "a/server.pem", "tls.key", ".npmrc.key"),
        *(
            "credentials.json",
            "a/credentials",
            "client_secret_12.apps.json",
            "secrets.yaml",
            ".netrc",
        ),
        *(
            "terraform.tfvars",
            "x.tfstate",
            "x.tfstate.backup",
            "service-account.json",
            ".ssh/config",
        ),
        *("app.keystore", ".pgpass", ".git-credentials", "kubeconfig", "db-passwords.txt"),
    ],
}
HARMLESS_NAMES = [
    *(".env.example", ".env.sample", "example.env", "credentials.py", "secrets.go", "id_rsa.pub"),
    *("password.ts", "secret_store.rs", "credentials.example.json", "keyboard.py", "lock.py", "a"),
    *("vendors.py", "environment.py", "terraform.tfvars.example", "o", "node", "key", "min.js"),
]


@pytest.mark.parametrize("with_git", [True, False])
@pytest.mark.parametrize("reason", NAMES)
def test_each_file_left_out_by_its_name_is_counted(
    tmp_path: Path, reason: str, with_git: bool
) -> None:
    put(tmp_path, *NAMES[reason], "kept.py")
    if with_git:
        git(tmp_path, "init", "-q")
    found = walk(tmp_path)
    assert paths(found) == ["kept.py"]
    assert found.omissions.counts == {reason: len(NAMES[reason])}
    assert len(found.omissions.examples[reason]) == 3


def test_names_that_only_resemble_those_are_kept(tmp_path: Path) -> None:
    put(tmp_path, *HARMLESS_NAMES)
    found = walk(tmp_path)
    assert paths(found) == sorted(HARMLESS_NAMES)


def test_a_cache_and_a_virtual_environment_tell_by_what_lies_in_them(tmp_path: Path) -> None:
    put(tmp_path, "target/CACHEDIR.TAG", "target/a.rs", "py/pyvenv.cfg", "py/lib/a.py", "a.py")
    found = walk(tmp_path)
    assert paths(found) == ["a.py"]
    assert found.omissions.counts == {"generated": 1, "vendored": 1}


def test_a_file_over_the_cap_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "big.py", text="x" * 101)
    put(tmp_path, "small.py", text="x" * 100)
    found = walk(tmp_path, max_bytes=100)
    assert (paths(found), found.omissions.counts) == (["small.py"], {"too_large": 1})


@pytest.mark.parametrize("with_git", [True, False])
def test_a_walk_ends_at_its_largest_number_of_files_and_says_so(
    tmp_path: Path, with_git: bool
) -> None:
    put(tmp_path, *(f"{folder}/{name}.py" for folder in "abc" for name in range(20)))
    if with_git:
        git(tmp_path, "init", "-q")
    found = walk(tmp_path, max_files=30)
    assert (len(found.files), found.truncated) == (30, True)
    assert not walk(tmp_path, max_files=60).truncated


def test_without_git_on_the_path_ignore_files_are_read_here(tmp_path: Path, monkeypatch) -> None:
    root = repository(tmp_path, "a.py")
    put(root, "x.log")
    put(root, ".gitignore", text="*.log\n")
    monkeypatch.setenv("PATH", "/nonexistent")
    found = walk(root)
    assert (paths(found), found.by_git) == ([".gitignore", "a.py"], False)
    assert found.omissions.counts == {"ignored": 1}


def test_a_broken_repository_is_walked_by_ignore_files(tmp_path: Path) -> None:
    root = repository(tmp_path, "a.py")
    (root / ".git/index").write_bytes(b"DIRC nonsense")
    found = walk(root)
    assert (paths(found), found.by_git) == (["a.py"], False)


def test_a_bare_folder_named_git_is_no_repository(tmp_path: Path) -> None:
    put(tmp_path, ".git/nothing", "a.py")
    found = walk(tmp_path)
    assert (paths(found), found.by_git) == (["a.py"], False)


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        walk(tmp_path / "nowhere")


def test_read_answers_bytes_or_a_reason(tmp_path: Path) -> None:
    put(tmp_path, "a/b.py", text="text")
    found = walk(tmp_path).files[0]
    assert read(tmp_path, found) == b"text"
    assert read(tmp_path, found, max_bytes=3) == "too_large"
    (tmp_path / "a/b.py").unlink()
    assert read(tmp_path, found) == "gone"
    os.mkfifo(tmp_path / "a/b.py")
    assert read(tmp_path, found) == "special"


def test_an_unchanged_checkout_of_10000_files_is_walked_in_little_more_than_the_kernels_time(
    tmp_path: Path,
) -> None:
    put(tmp_path, *(f"package{n // 100}/part{n // 10 % 10}/module{n}.py" for n in range(10_000)))
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")

    def bare() -> int:
        folders, count = [str(tmp_path)], 0
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        count += bool(entry.stat(follow_symlinks=False))
        return count

    def best(action) -> float:
        times = []
        for _ in range(7):
            begin = time.perf_counter()
            action()
            times.append(time.perf_counter() - begin)
        return min(times)

    ours, theirs = best(lambda: walk(tmp_path)), best(bare)
    assert len(walk(tmp_path).files) == 10_000
    print(f"walk {ours * 1000:.0f} ms, bare scan {theirs * 1000:.0f} ms")
    assert ours < 8 * theirs
