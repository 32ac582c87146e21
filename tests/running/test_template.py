"""Templates are filled whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from undercroft.errors import InvalidInput, NotFound
from undercroft.running.template import (
    LARGEST,
    check_known,
    check_target,
    fill,
    names_in,
    read_template,
    write_private,
)


def test_every_placeholder_is_filled_once() -> None:
    text = "a={{ A }}\nb={{B}} {{ A }} {{ not a name }} {{}} ${{ C-D }}"
    assert names_in(text) == ["A", "B"]
    filled = fill(text, {"A": "{{ B }}", "B": "\\1"})
    assert filled == "a={{ B }}\nb=\\1 {{ B }} {{ not a name }} {{}} ${{ C-D }}"


def test_all_that_is_missing_is_named_with_its_line() -> None:
    with pytest.raises(NotFound) as refused:
        check_known("{{ A }}\n{{ B }} {{ C }}\n{{ B }}", {"A"})
    assert "B (line 2), C (line 2), B (line 3)" in refused.value.message
    assert "Nothing was written" in refused.value.hint


def test_the_result_is_its_owners_alone_and_replaces_what_was_there(tmp_path: Path) -> None:
    target, outside = tmp_path / ".env", tmp_path / "outside"
    outside.write_text("kept")
    target.symlink_to(outside)
    write_private(target, "A=é\r\n")
    assert target.read_bytes() == "A=é\r\n".encode()
    assert target.stat().st_mode & 0o777 == 0o600
    assert not target.is_symlink()
    assert outside.read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "outside"]


def test_a_template_is_never_replaced_by_its_result(tmp_path: Path) -> None:
    template, link, hard = tmp_path / "t", tmp_path / "link", tmp_path / "hard"
    template.write_text("{{ A }}")
    link.symlink_to(template)
    hard.hardlink_to(template)
    for target in (template, tmp_path / "." / "t", link, hard, tmp_path):
        with pytest.raises(InvalidInput):
            check_target(target, template)
    check_target(tmp_path / "new", template)


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="No such file"):
        read_template(tmp_path / "none")
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff")
    large.write_bytes(b"a" * (LARGEST + 1))
    for path in (binary, large):
        with pytest.raises(InvalidInput):
            read_template(path)
    with pytest.raises(InvalidInput, match="No such file"):
        write_private(tmp_path / "no" / "folder", "x")
