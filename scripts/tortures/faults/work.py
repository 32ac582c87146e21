"""Faults of the work room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tortures.faults import Fault, reword

if TYPE_CHECKING:
    from tortures.scratch import Scratch


FENCE = "i.claim_epoch = {} AND i.claim_until > clock_timestamp()"
UPDATE = "UPDATE workflow.work_graph SET changes = changes + 1;"


def _leave_out_the_fence() -> None:
    for name, place in (("finish_item", "$2"), ("update_item", "$4")):
        reword(name, (FENCE.format(place), "true"))()


def _rewritten(*changes: tuple[str, str, str]) -> Callable[[Scratch], Awaitable[None]]:
    """Change functions of the database: name, text, text in its place."""

    async def plant(scratch: Scratch) -> None:
        async with scratch.asked("project_work") as admin:
            for name, old, new in changes:
                text = await admin.fetchval(f"SELECT pg_get_functiondef('{name}'::regproc)")
                if old not in text:
                    raise SystemExit(f"the fault does not fit {name} any more")
                await admin.execute(text.replace(old, new))

    return plant


async def _share_places(scratch: Scratch) -> None:
    async with scratch.asked("project_work") as admin:
        await admin.execute("ALTER TABLE workflow.work_items DROP CONSTRAINT work_siblings_order")
        await admin.execute("CREATE INDEX ON workflow.work_items (place, order_key)")


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
        in_server=_rewritten(
            ("workflow.lock_work_graph", UPDATE, ""),
            ("workflow.take_work_graph", "IF NOT FOUND THEN", "IF false THEN"),
        ),
    ),
    "place": Fault(
        meaning="two siblings may have one place",
        scenario="work",
        in_server=_share_places,
    ),
    "count": Fault(
        meaning="a link is not counted",
        scenario="work",
        in_server=_rewritten(("workflow.follow_work_link", "IF waits THEN", "IF false THEN")),
    ),
}
"""By name."""
