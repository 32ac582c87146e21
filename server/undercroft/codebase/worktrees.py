"""Worktrees of one repository hold the same code on different branches: one of them answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from undercroft.checkout import Checkout, checkout_of

if TYPE_CHECKING:
    from undercroft.codebase.indexing.models import Standing


def without_doubles(
    every: Sequence[Standing], folder: Path | None
) -> tuple[Sequence[Standing], str]:
    """Of the worktrees of each repository the one that the folder lies in, else the main one.

    And what a reader should know of that. Parts of one checkout that are indexed by themselves are
    no doubles. It reads small files of git's for each.
    """
    here = checkout_of(folder) if folder else None
    checkouts = [checkout_of(Path(one.path)) for one in every]
    tops: dict[Path, set[Path]] = {}
    for checkout in checkouts:
        tops.setdefault(checkout.main, set()).add(checkout.top)
    answering = {main: _answering(main, those, here) for main, those in tops.items()}
    kept = [
        one
        for one, checkout in zip(every, checkouts, strict=True)
        if answering[checkout.main] == checkout.top
    ]
    return kept, _note(here, tops)


def _answering(main: Path, tops: set[Path], here: Checkout | None) -> Path:
    if here and here.top in tops:
        return here.top
    return main if main in tops else min(tops)


def _note(here: Checkout | None, tops: dict[Path, set[Path]]) -> str:
    if not here or not here.is_linked or here.top in tops.get(here.main, {here.top}):
        return ""
    return (
        "The worktree you stand in is not indexed: this is the code of another one of its "
        "repository. index_repository indexes it."
    )
