"""Faults of code search: its leases, its walk, its masking."""

from __future__ import annotations

from typing import Any

from tortures.faults import Fault, reword


def _admit_anybody() -> None:
    anybody = "$2::bigint IS NOT NULL"
    reword("admit_batch", ("epoch = $2 AND lease_until IS NOT NULL AND NOT cancelled", anybody))()
    # Without this the renewal, a second later, mostly notices it before a batch is stored.
    reword("renew_lease", ("epoch = $2 AND lease_until IS NOT NULL", anybody))()


def _finish_first() -> None:
    # Whoever has finished still holds the lease, or none of the batches would count.
    reword("finish_run", ("lease_until = NULL, holder = '',", ""))()

    from undercroft.codebase.indexing.indexer import Indexer  # noqa: PLC0415 - patched, not used
    from undercroft.codebase.indexing.run import Run  # noqa: PLC0415 - patched, not used

    do, finish = Run.do, Indexer._finish  # noqa: SLF001 - a fault lies inside

    async def later(self: Any, _plan: Any) -> None:
        self.unsettled = 0

    async def first(self: Any, run: Any, found: Any, todo: Any, began: float) -> Any:
        report = await finish(self, run, found, todo, began)
        await do(run, todo)
        await run.lease.end(run.db, "completed", "")
        return report

    setattr(Run, "do", later)  # noqa: B010 - mypy minds the plain way
    setattr(Indexer, "_finish", first)  # noqa: B010 - mypy minds the plain way


def _follow_links() -> None:
    import os  # noqa: PLC0415 - for this fault alone
    import stat  # noqa: PLC0415 - as above

    from undercroft.codebase.walking import beneath  # noqa: PLC0415 - patched, not used
    from undercroft.codebase.walking.walker import Walker  # noqa: PLC0415 - patched, not used

    take = Walker._take  # noqa: SLF001 - a fault lies inside

    def take_target(self: Any, path: str, name: str, folder: Any, seen: Any) -> None:
        if stat.S_ISLNK(seen.st_mode) and (self._root / path).is_file():
            seen = (self._root / path).stat()
        take(self, path, name, folder, seen)

    for flags in ("_FILE", "_FOLDER"):
        setattr(beneath, flags, getattr(beneath, flags) & ~os.O_NOFOLLOW)
    setattr(Walker, "_take", take_target)  # noqa: B010 - mypy minds the plain way


def _store_private_keys() -> None:
    from undercroft.codebase.masking import masking  # noqa: PLC0415 - patched, not used

    setattr(masking, "_key_blocks", lambda _data: ())  # noqa: B010 - mypy minds the plain way


FAULTS = {
    "lease": Fault(
        meaning="a batch is stored without its lease",
        scenario="indexing",
        in_process=_admit_anybody,
    ),
    "finish": Fault(
        meaning="a run is finished before all is stored",
        scenario="indexing",
        in_process=_finish_first,
    ),
    "link": Fault(
        meaning="the walk follows links", scenario="hostile_trees", in_process=_follow_links
    ),
    "mask": Fault(
        meaning="private keys are not masked",
        scenario="masking",
        in_process=_store_private_keys,
    ),
}
"""By name."""
