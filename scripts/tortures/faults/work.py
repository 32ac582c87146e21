"""Faults of the work room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tortures.faults import Fault, reword

if TYPE_CHECKING:
    from tortures.scratch import Scratch


FENCE = "i.claim_epoch = {} AND i.claim_until > clock_timestamp()"
WAIT = "PERFORM pg_sleep(0.01);"
UPDATE = "UPDATE workflow.work_graph SET changes = changes + 1;"


def _leave_out_the_fence() -> None:
    for name, place in (("finish_item", "$2"), ("update_item", "$4")):
        reword(name, (FENCE.format(place), "true"))()


def _ask_for_no_place() -> None:
    for name in ("insert_item", "insert_plan"):
        reword(name, ("ON CONFLICT (place, order_key) DO NOTHING", ""))()


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
    await _rewritten(
        ("workflow.work_key_between", "round((lower + upper) * 0.5, scale)", "lower"),
        ("workflow.work_key_between", "IF lower < found AND found < upper THEN", "IF true THEN"),
    )(scratch)


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
            # So long that another looks meanwhile; under the lock it would harm nobody.
            ("workflow.follow_work_link", "IF circle THEN", f"{WAIT} IF circle THEN"),
        ),
    ),
    "order": Fault(
        meaning="a place between two is one of theirs, and nothing refuses it",
        scenario="work",
        in_process=_ask_for_no_place,
        in_server=_share_places,
    ),
    "count": Fault(
        meaning="a link is not counted",
        scenario="work",
        in_server=_rewritten(("workflow.follow_work_link", "IF waits THEN", "IF false THEN")),
    ),
}
"""By name."""
