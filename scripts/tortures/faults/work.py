"""Faults of the work room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tortures.faults import Fault, reword

if TYPE_CHECKING:
    from tortures.scratch import Scratch


FENCE = "i.claim_epoch = {} AND i.claim_until > clock_timestamp()"
UNLOCKED = (
    ("workflow.lock_work_graph", "UPDATE workflow.work_graph SET changes = changes + 1;", ""),
    ("workflow.take_work_graph", "IF NOT FOUND THEN", "IF false THEN"),
)


def _leave_out_the_fence() -> None:
    for name, place in (("finish_item", "$2"), ("update_item", "$4")):
        reword(name, (FENCE.format(place), "true"))()


async def _check_circles_without_lock(scratch: Scratch) -> None:
    async with scratch.asked("project_work") as admin:
        for name, old, new in UNLOCKED:
            text = await admin.fetchval(f"SELECT pg_get_functiondef('{name}'::regproc)")
            if old not in text:
                raise SystemExit(f"the fault does not fit {name} any more")
            await admin.execute(text.replace(old, new))


FAULTS = {
    "fence": Fault(
        meaning="who lost his claim may still write",
        scenario="work",
        in_process=_leave_out_the_fence,
    ),
    "skip": Fault(
        meaning="the best item is chosen without locking it",
        scenario="work",
        in_process=reword("claim_best", ("FOR NO KEY UPDATE SKIP LOCKED", "")),
    ),
    "circle": Fault(
        meaning="circles are looked for without a lock",
        scenario="work",
        in_server=_check_circles_without_lock,
    ),
}
"""By name."""
