"""`undercroft run`: what passes its veil in a second, and how long a command's start takes."""

from __future__ import annotations

import json
import os
import random
import secrets
import select
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Finding, Judgement, bare, ours_alone, times_bare
from benchmarks.frame import Effort, Sampler, interleave
from benchmarks.ground import scratch_home
from undercroft.db.embedded import EmbeddedPostgres

SECRETS = 20
MEGABYTES = 24
"""On each of the two outputs."""

MAIN = """
import json, os, pathlib, sys
from undercroft.running.child import end_as, run_child
values = json.loads(pathlib.Path(sys.argv[1]).read_text())
sys.exit(end_as(run_child(sys.argv[2:], {**os.environ}, values)))
"""
"""A child with secrets from a file: no database has a part in it."""
BOTH = 'cat "$1" & cat "$1" >&2; wait'
PASSED = f"{{ {{ {BOTH}; }} 2>&1 >&3 | cat >&2; }} 3>&1 | cat"
"""The same, through a `cat` for each of the two."""

THROUGHPUT = Judgement(
    name="veil",
    meaning=f"both outputs of a child at once, log lines and random bytes, {SECRETS} secrets, "
    "against a cat behind each",
    unit="MB/s",
    value_unit="MB/s",
    target=50.0,
    of=ours_alone,
    baseline=bare,
    at_least=True,
)
START = Judgement(
    name="run -- true",
    meaning="the whole command with three secrets and a port, PostgreSQL running, against "
    "`undercroft port web`",
    unit="ms",
    value_unit="x",
    target=1.5,
    of=times_bare,
    baseline=bare,
)


async def measure_throughput(effort: Effort) -> AsyncIterator[Finding]:
    """Megabytes in a second."""
    with scratch_home() as home:
        text, values = home / "text", home / "values"
        text.write_bytes(_text(MEGABYTES * 1_000_000))
        named = {f"KEY_{n}": secrets.token_urlsafe(30) for n in range(SECRETS)}
        values.write_text(json.dumps(named))
        ours = [sys.executable, "-c", MAIN, str(values), "sh", "-c", BOTH, "sh", str(text)]
        beside = ["sh", "-c", PASSED, "sh", str(text)]
        sides = {"ours": _passing(ours), "bare": _passing(beside)}
        yield THROUGHPUT.figure(await interleave(sides, rounds=effort.rounds(15)))


def _text(size: int) -> bytes:
    """Lines of a log, with random bytes between them."""
    dice = random.Random(3)  # noqa: S311 - a reproducible text
    pieces, length = [], 0
    while length < size:
        line = f"2026-01-01 12:00:00.{dice.random():.6f} INFO GET /items/{dice.random()} 200\n"
        pieces += [line.encode() * 20, dice.randbytes(500), b"\n"]
        length += sum(map(len, pieces[-3:]))
    return b"".join(pieces)[:size]


def _passing(command: Sequence[str]) -> Sampler:
    """Megabytes per second from the first byte to the last one, of both outputs together."""

    async def sample() -> list[float]:
        with subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; nothing else runs here
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            ends = {one.fileno() for one in (process.stdout, process.stderr) if one}
            select.select(ends, [], [])
            started, passed = time.perf_counter(), 0
            while ends:
                for end in select.select(ends, [], [])[0]:
                    data = os.read(end, 1 << 20)
                    passed += len(data)
                    if not data:
                        ends.discard(end)
            seconds = time.perf_counter() - started
        if passed != 2 * MEGABYTES * 1_000_000:
            raise RuntimeError(f"{passed} bytes came through")
        return [passed / 1e6 / seconds]

    return sample


async def measure_start(effort: Effort) -> AsyncIterator[Finding]:
    """Milliseconds of a whole command."""
    # Keys never lie among the data.
    with scratch_home() as home, scratch_home() as keys:
        folder = home / "shop"
        folder.mkdir()
        environ = os.environ | {
            "UNDERCROFT_HOME": str(home),
            "UNDERCROFT_KEY_PROVIDER": "file",
            "UNDERCROFT_KEY_FOLDER": str(keys / "own"),
        }
        postgres = EmbeddedPostgres(home)
        await postgres.address()
        try:
            for name in ("ONE", "TWO", "THREE"):
                _undercroft(("secret", "generate", name), folder, environ)
            sides = {
                "ours": _command(("run", "--", "true"), folder, environ),
                "bare": _command(("port", "web"), folder, environ),
            }
            yield START.figure(await interleave(sides, rounds=effort.rounds(30)))
        finally:
            await postgres.close()


def _command(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Sampler:
    async def sample() -> list[float]:
        started = time.perf_counter()
        _undercroft(words, folder, environ)
        return [(time.perf_counter() - started) * 1000]

    return sample


def _undercroft(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "undercroft", *words]
    subprocess.run(  # noqa: S603 - our own program
        command, cwd=folder, env=environ, check=True, capture_output=True
    )
