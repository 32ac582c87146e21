"""`undercroft work`, as a person and a script use it."""

from __future__ import annotations

import json
from pathlib import Path

from .test_tools import Run, cli

__all__ = ["cli"]

PLAN = [
    {
        "title": "Accounts",
        "kind": "epic",
        "children": [{"title": "Model", "key": "m"}, {"title": "Login", "blocked_by": ["m"]}],
    }
]


def test_a_person_sees_the_tree_and_what_is_ready_and_takes_it_elsewhere(
    cli: Run, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    assert "has no work yet" in cli("work").stdout
    made = cli("call", "create_plan", f"items={json.dumps(PLAN)}", "--json")
    assert made.returncode == 0, made.stderr
    ids = json.loads(made.stdout)["ids"]
    shown = cli("work").stdout.splitlines()
    assert shown[0].startswith(f"· Accounts  epic  {ids['1']}  0 %")
    assert shown[1].startswith("  · Model")
    assert shown[2].startswith("  ⧗ Login")
    assert shown[-1].startswith(f"{ids['m']}  Model  (priority 2; 1 others wait for it")
    told = json.loads(cli("work", "show", ids["m"], "--json").stdout)
    assert [one["title"] for one in told["plan"]["items"]] == ["Model"]
    assert [one["id"] for one in told["ready"]] == [ids["m"]]
    lines = cli("work", "export").stdout
    assert cli("work", "export", "out.jsonl").returncode == 0
    assert (tmp_path / "out.jsonl").read_text("utf-8") == lines
    again = cli("work", "import", "out.jsonl")
    assert again.stdout == "0 items, 0 links, 0 comments; 3 known\n"


def test_what_cannot_be_read_is_said(cli: Run, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert "cannot be read" in cli("work", "import", "nowhere.jsonl").stderr
    (tmp_path / "x").write_text("no json")
    bad = cli("work", "import", "x")
    assert (bad.returncode, "neither JSON" in bad.stderr) == (2, True)
    assert cli("work", "show", "w-nobody00").returncode == 3


def test_files_of_other_trackers_are_read_as_other_programs_write_them(
    cli: Run, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    issues = json.dumps(
        [{"number": 1, "title": "Größe"}, {"number": 2, "title": "x", "url": "/pull/"}]
    )
    (tmp_path / "power.json").write_bytes(issues.encode("utf-16"))
    taken = cli("work", "import", "power.json").stdout.splitlines()
    assert taken[0] == "1 items, 0 links, 0 comments; 0 known"
    assert "pull requests were left out: github:#2" in taken
    (tmp_path / "bom.json").write_bytes(b"\xef\xbb\xbf" + issues.encode())
    assert cli("work", "import", "bom.json").stdout.startswith(
        "0 items, 0 links, 0 comments; 1 known"
    )
    (tmp_path / "latin.json").write_bytes(b'[\n{"title": "' + "ö".encode("latin-1") + b'"}]')
    assert "line 2 is not UTF-8" in cli("work", "import", "latin.json").stderr


def test_one_item_is_shown_whole_and_no_text_commands_the_terminal(
    cli: Run, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    assert "has no work yet" in cli("work").stdout
    evil = "\x1b[31mRED\x1b]0;owned\x07\n  fake line"
    fields = {"description": "x" * 45_000 + "END", "acceptance": ["it works"], "estimate": 30}
    made = cli("call", "create_work", f"title={evil}", f"fields={json.dumps(fields)}", "--json")
    item = json.loads(made.stdout)["id"]
    for number in range(12):
        cli("call", "comment_on_work", f"id={item}", f"body=said {number}")
    shown = cli("work", "show", item).stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "END" in shown
    assert "☐ it works" in shown
    assert "estimate  30 minutes" in shown
    assert [line for line in shown.splitlines() if line.startswith("said")] == [
        f"said {number}" for number in range(12)
    ]
    told = json.loads(cli("work", "--json", "show", item).stdout)
    assert told["item"]["description"].endswith("END")
    assert "cannot be written" in cli("work", "export", "/nowhere/x").stderr
