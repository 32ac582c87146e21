"""Print the versions of uv.lock for pip, where uv cannot be had: `requirements.py run|dev`."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(level: str) -> None:
    """Print requirement lines; each package of the lock constrains what pip chooses."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = list(project["project"]["dependencies"])
    if level == "dev":
        wanted += project["dependency-groups"]["dev"]
    constraints = Path(sys.prefix) / "constraints.txt"
    pinned = [p for p in lock["package"] if "registry" in p["source"]]
    constraints.write_text("".join(f"{p['name']}=={p['version']}\n" for p in pinned), "utf-8")
    sys.stdout.write("\n".join([f'--constraint "{constraints}"', *wanted, ""]))


if __name__ == "__main__":
    main(sys.argv[1])
