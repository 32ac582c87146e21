"""`scripts/train-embedding`: the steps from the list of packages to the weights."""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from training.archives import texts
from training.languages import SUFFIXES
from training.mining import as_record, mine
from training.packages import Package, download, packages, start_model

WEIGHTS = Path(__file__).parents[2] / "server/undercroft/codebase/embedding/weights.npz"
MOST_FILES = {False: 1_500, True: 600}
"""Files of code that are read of one package; fewer of one that is held out."""
MOST_OF_GIANTS = 3_000
GIANTS = frozenset(
    ("debian/rustc", "debian/kotlin", "debian/scala", "pypi/homeassistant", "debian/kubernetes")
)
"""Each speaks for a language, or for a field, that few others have."""
MOST_PROSE = 300


def main() -> int:
    """Do the steps that are named, all by default."""
    steps: dict[str, Callable[[argparse.Namespace], None]] = {
        "download": _download,
        "mine": _mine,
        "prepare": _prepare,
        "learn": _learn,
        "judge": _judge,
    }
    parser = argparse.ArgumentParser(prog="scripts/train-embedding", description=__doc__)
    parser.add_argument("steps", nargs="*", choices=[*steps, []], help="all by default")
    parser.add_argument("--work", type=Path, required=True, help="a folder with 20 GB to spare")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="what is written and judged")
    parser.add_argument("--seeds", type=int, default=2, help="runs whose weights are averaged")
    args = parser.parse_args()
    for name in args.steps or steps:
        started = time.monotonic()
        steps[name](args)
        _tell(f"{name}: {time.monotonic() - started:.0f} s")
    return 0


def _download(args: argparse.Namespace) -> None:
    for package in packages():
        if not download(package, args.work / "downloads"):
            _tell(f"{package.key} {package.version} cannot be had; it is left out.")
    start_model(args.work)


def _mine(args: argparse.Namespace) -> None:
    for package in packages():
        _mine_package(package, args.work)


def _mine_package(package: Package, work: Path) -> None:
    target = mined(package, work)
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    files = [one for each in package.archives(work / "downloads") for one in texts(each)]
    random.Random(package.key).shuffle(files)  # noqa: S311 - the same files each time
    found = mine(_some(package, files), chunks=package.held_out, seed=package.key)
    for path, records in ((target, found.pairs), (chunks(package, work), found.chunks)):
        with gzip.open(path.with_suffix(".part"), "wt", compresslevel=3) as lines:
            lines.writelines(json.dumps(as_record(one)) + "\n" for one in records)
        path.with_suffix(".part").rename(path)
    _tell(f"{package.key}: {len(found.pairs)} pairs")


def _some(package: Package, files: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many of the files as one package may give; no types of JavaScript that is here itself."""
    most = MOST_OF_GIANTS if package.key in GIANTS else MOST_FILES[package.held_out]
    paths = {path for path, _ in files}
    prose = [one for one in files if SUFFIXES[Path(one[0]).suffix.lower()] == "prose"]
    code = [one for one in files if SUFFIXES[Path(one[0]).suffix.lower()] != "prose"]
    code = [one for one in code if one[0].removesuffix(".d.ts") + ".js" not in paths - {one[0]}]
    return code[:most] + prose[:MOST_PROSE]


def mined(package: Package, work: Path) -> Path:
    """The file of a package's pairs."""
    return work / "mined" / (package.key.replace("/", "__") + ".jsonl.gz")


def chunks(package: Package, work: Path) -> Path:
    """The file of a package's chunks; empty for one that is learned from."""
    return work / "mined" / (package.key.replace("/", "__") + ".chunks.gz")


def _prepare(args: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415 - mining does without

    from training import examples, start  # noqa: PLC0415 - as above

    learned = [mined(one, args.work) for one in packages() if not one.held_out]
    found = examples.prepare([path for path in learned if path.exists()])
    examples.save(found, args.work / "examples.npz")
    _tell(f"{len(found.packages)} pairs, {len(found.words)} words")
    np.save(args.work / "start.npy", start.word_vectors(start_model(args.work), found.words))


def _learn(args: argparse.Namespace) -> None:
    import numpy as np  # noqa: PLC0415 - mining does without

    from training import examples, learning  # noqa: PLC0415
    from undercroft.codebase.embedding.static import packed  # noqa: PLC0415

    found = examples.load(args.work / "examples.npz")
    start = np.load(args.work / "start.npy")
    runs = [
        learning.learn(found, start, learning.Recipe(seed=seed), _told)
        for seed in range(1, args.seeds + 1)
    ]
    args.weights.write_bytes(packed(found.words, np.mean(runs, axis=0)))


def _judge(args: argparse.Namespace) -> None:
    from training import judging  # noqa: PLC0415
    from undercroft.codebase.embedding import StaticModel  # noqa: PLC0415 - mining does without

    held = [one for one in packages() if one.held_out]
    asked = judging.tasks([(mined(one, args.work), chunks(one, args.work)) for one in held])
    model = judging.dense(StaticModel.read(args.weights.read_bytes()))
    for name, scores in (
        ("BM25", judging.lexical),
        ("model", model),
        ("both", judging.fused(judging.lexical, model)),
    ):
        sys.stdout.write(f"{name}\t{json.dumps(judging.judged(asked, scores))}\n")


def _told(step: int, loss: float) -> None:
    if step % 50 == 49:  # noqa: PLR2004 - now and then
        _tell(f"step {step + 1}: loss {loss:.3f}")


def _tell(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
