"""What doctor says of pgvector."""

from __future__ import annotations

import pytest

from undercroft.app.doctor import _of_vector


@pytest.mark.parametrize(
    ("version", "has", "verdict", "mend"),
    [
        ("0.8.6", True, "ok", ""),
        ("0.8.6", False, "wrong", "in template1"),
        ("0.8.6", None, "warning", "in template1"),
        ("0.7.4", True, "wrong", "0.8 or newer"),
        (None, False, "wrong", "Install the package"),
    ],
)
def test_each_lack_of_pgvector_has_its_mend(
    version: str | None, has: bool | None, verdict: str, mend: str
) -> None:
    finding = _of_vector(version, has, "somebody")
    assert finding.verdict == verdict
    assert mend in finding.mend
