"""Questions about documented functions: their answers are in the code, their words are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.documented import Question, rank_of, write
from benchmarks.quality.scoring import Lines

ASKED = Question(text="Say it.", path="a.py", first=10, last=20)


@pytest.mark.parametrize(
    ("places", "rank"),
    [
        ([("a.py", 1, 9), ("a.py", 20, 30)], 2),
        ([("b.py", 10, 20), ("a.py", 1, 10)], 2),
        ([("a.py", 12, 13)], 1),
        ([("a.py", 21, 30), ("b/a.py", 10, 20)], 0),
        ([], 0),
    ],
)
def test_lines_are_found_where_a_place_overlaps_them(places: list, rank: int) -> None:
    assert rank_of(ASKED, [Lines(*place) for place in places]) == rank


def test_what_is_asked_does_not_stand_in_the_code(tmp_path: Path) -> None:
    asked = write(tmp_path, 200)
    assert len(asked) == 200
    assert write(tmp_path, 200) == asked
    for one in asked:
        lines = (tmp_path / one.path).read_text("utf-8").split("\n")
        answer = lines[one.first - 1 : one.last]
        assert "def " in answer[0]
        assert one.text not in " ".join(" ".join(answer).split())
